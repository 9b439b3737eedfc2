// Promises of the service: commands, events and refusals. Types, validation and documentation follow from it.
import Type from "typebox";
import { defineContract } from "@valence/runtime/contract";
import { thingErrors } from "./errors.ts";

const Title = Type.String({ minLength: 1, maxLength: 200 });
const Owner = Type.String({ minLength: 1, maxLength: 100 });
const Status = Type.Enum(["open", "approved", "declined"]);

export const contract = defineContract({
  service: "things",
  actor: "thing",
  state: {
    status: Type.Optional(Status),
    title: Type.Optional(Title),
    owner: Type.Optional(Owner),
    // #region saga
    isHeld: Type.Optional(Type.Boolean()),
    // #endregion
  },
  commands: {
    open: { title: Title, owner: Owner },
    // #region saga
    hold: {},
    free: {},
    // #endregion
    approve: {},
    decline: { reason: Type.String({ maxLength: 200 }) },
  },
  actions: {
    /** For its owner alone; for others there is no such thing. */
    view: {
      params: { id: Type.String() },
      returns: Type.Object({ id: Type.String(), version: Type.Integer(), title: Title, status: Status }),
    },
    // #region saga
    /** A step of the saga that may refuse, and that has nothing to undo. */
    check: { params: { title: Title }, returns: Type.Object({ isChecked: Type.Boolean() }) },
    // #endregion
    // #region reactor
    /** Tells people that a thing was approved; called at least once for each. */
    notify: { params: { id: Type.String() }, returns: Type.Object({ isTold: Type.Boolean() }) },
    // #endregion
    // #region projection
    /** The things of an owner, newest first. `after` is `<id>@<version>` of an own write that the list has to include. */
    list: {
      params: { owner: Owner, after: Type.Optional(Type.String()) },
      returns: Type.Object({
        rows: Type.Array(Type.Object({ id: Type.String(), title: Title, status: Status, openedAt: Type.String() })),
      }),
    },
    // #endregion
  },
  events: {
    "thing.opened": { title: Title, owner: Owner },
    // #region saga
    "thing.held": {},
    "thing.freed": {},
    // #endregion
    "thing.approved": {},
    "thing.declined": { reason: Type.String() },
  },
  refusals: thingErrors,
  // For the description of the API: what a client may meet.
  mayRefuse: {
    open: ["THING_EXISTS"],
    view: ["THING_NOT_FOUND"],
    // #region projection
    list: [],
    // #endregion
  },
  // Commands for other services only: no person may send them.
  permissions: {
    // #region saga
    hold: false,
    free: false,
    check: false,
    // #endregion
    // #region reactor
    notify: false,
    // #endregion
    approve: false,
    decline: false,
  },
});
declare global {
  interface Contracts {
    things: typeof contract;
  }
}
