import { Operations } from "@valence/runtime/operations/mixin";

export default Operations();
