import { Audit } from "@valence/runtime/audit/mixin";

export default Audit();
