import { Actors } from "@valence/runtime/actor/mixin";
import { assertOwned, defineService } from "@valence/runtime/contract";
// #region projection
import { Projections } from "@valence/runtime/projection/mixin";
// #endregion
// #region saga
import { Sagas } from "@valence/runtime/saga/mixin";
// #endregion
// #region reactor
import { Reactors } from "@valence/runtime/stream/mixin";
// #endregion
import { contract } from "./contract.ts";
import { thingErrors } from "./errors.ts";
import { Thing } from "./thing.ts";
// #region saga
import { ThingApproval } from "./thing-approval.saga.ts";
// #endregion
// #region projection
import { ThingList } from "./thing-list.projection.ts";
// #endregion
// #region reactor
import { ThingNotice } from "./thing-notice.reactor.ts";
// #endregion
// #region projection

const limits = {
  /** Rows of one answer. */
  rowsMax: 100,
};
// #endregion
// #region saga

/** Titles that the saga's check refuses, for you to see one end in compensation. */
const NOT_ALLOWED = /forbidden/i;
// #endregion

export default defineService(contract, {
  mixins: [
    Actors(Thing),
    // #region saga
    Sagas(ThingApproval),
    // #endregion
    // #region projection
    Projections(ThingList),
    // #endregion
    // #region reactor
    Reactors(ThingNotice),
    // #endregion
  ],
  actions: {
    view: {
      placement: "id",
      repeatable: true,
      async handler(ctx) {
        const { id } = ctx.params;
        const { version, state } = await this.actors.get(id);
        const { title = "", status = "open", owner } = state;
        assertOwned(ctx, owner, thingErrors.THING_NOT_FOUND);
        return { id, version, title, status };
      },
    },
    // #region saga
    check({ params: { title } }) {
      if (NOT_ALLOWED.test(title)) throw thingErrors.THING_NOT_ALLOWED({ field: "title" });
      return { isChecked: true };
    },
    // #endregion
    // #region reactor
    notify({ params: { id } }) {
      this.logger.info(`thing ${id} was approved`);
      return { isTold: true };
    },
    // #endregion
    // #region projection
    list: {
      repeatable: true,
      async handler({ params: { owner, after } }) {
        const things = this.projection("thing-list");
        const at = after === undefined ? undefined : await things.waitFor(after);
        const rows = await things
          .table("rows", at)
          .where({ owner })
          .orderBy([
            { column: "openedAt", order: "desc" },
            { column: "id", order: "desc" },
          ])
          .limit(limits.rowsMax);
        return { rows: rows.map(({ id, title, status, openedAt }) => ({ id, title, status, openedAt })) };
      },
    },
    // #endregion
  },
});
