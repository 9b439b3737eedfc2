// Errors of things.
import { defineErrors } from "@valence/runtime/kernel";

export const thingErrors = defineErrors({
  THING_EXISTS: { status: 409, says: "there is a thing with this id", todo: "take another id" },
  THING_NOT_FOUND: { status: 404, says: "there is no such thing", todo: "check the id" },
  THING_DECIDED: { status: 409, says: "the thing has been approved or declined", todo: "open another one" },
  // #region saga
  THING_NOT_ALLOWED: { status: 409, says: "a thing of this title is not allowed", todo: "choose another title" },
  // #endregion
});
