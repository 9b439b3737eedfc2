// Errors of sagas: of an operator's requests, and between a saga and its own journal.
import { defineErrors } from "../kernel/index.ts";

export const sagaErrors = defineErrors({
  SAGA_NOT_FOUND: { status: 404, says: "there is no saga {id}", todo: "ask for the ids: `GET /ops/sagas`" },
  SAGA_NOT_STUCK: { status: 409, says: "saga {key} is {phase}", todo: "retry only a stuck saga" },
  SAGA_NOT_REPEATABLE: {
    status: 409,
    says: "saga {key} cannot be repeated for the event that its log has now: {why}",
    todo: "compensate it: that takes back what it did for the event that is lost",
  },
  SAGA_ENDED: {
    status: 409,
    says: "saga {key} is {phase}",
    todo: "leave it: the saga is completed or compensated, and there is nothing to undo",
  },
  SAGA_COMPENSATING: {
    status: 409,
    says: "saga {key} is compensating already",
    todo: "wait for its end; if it gets stuck, retry it",
  },
  SAGA_PAST_PIVOT: {
    status: 409,
    says: "saga {key} {why}",
    todo: "let it go forward; one that is stuck is taken back with `pastPivot`",
  },
  SAGA_OF_ANOTHER_RELEASE: {
    status: 503,
    says: "saga {key}: {why}",
    todo: "ask again: a node of the release that began the saga, or sent its step, undoes it",
  },
  SAGA_EXISTS: {
    status: 409,
    says: "another event of this stream has begun the saga",
    todo: "nothing: the runtime begins a saga of its own for the second event",
  },
  JOURNAL_MOVED: {
    status: 409,
    says: "another node has written to the saga's journal",
    todo: "nothing: the node reads the journal again",
  },
});
