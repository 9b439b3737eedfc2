// Operations: actors, sagas, projections and dead letters, as an operator sees and repairs them.
import { Operations } from "@valence/runtime/operations/mixin";

export default Operations();
