// What an operator sees and does: actors, sagas, projections, dead letters.
import { Operations } from "@valence/runtime/operations/mixin";

export default Operations();
