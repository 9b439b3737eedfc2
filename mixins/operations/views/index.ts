// The handlers of the actions in `contract.ts`.
import { activity } from "./activity.ts";
import { actorDiff, actorHistory, whatIf } from "./actors.ts";
import { lag } from "./lag.ts";
import { overview } from "./overview.ts";
import { compensateSagas, noteSaga, retrySagas, saga, sagaCounts, sagas } from "./sagas.ts";
import { search } from "./search.ts";
import { shards } from "./shards.ts";
import { tail } from "./tail.ts";
import { timers } from "./timers.ts";
import { trace } from "./trace.ts";

export const views = {
  sagas,
  sagaCounts,
  saga,
  noteSaga,
  retrySagas,
  compensateSagas,
  overview,
  activity,
  search,
  timers,
  lag,
  shards,
  tail,
  actorHistory,
  actorDiff,
  whatIf,
  trace,
};
