export type {
  Append,
  Cursor,
  DueTimer,
  EventStore,
  ListedTimer,
  LoadedStream,
  NewEvent,
  OpenSaga,
  RecordedCommand,
  SagaRow,
  Searched,
  StoredEvent,
  StoredPage,
  StoredSnapshot,
  StoreSize,
  TimerChange,
  Verdict,
} from "./event-store.ts";
export { bucketOf } from "./buckets.ts";
export { cursorOf, placesOf } from "./cursors.ts";
export { storeErrors } from "./errors.ts";
export { storeMetrics } from "./metrics.ts";
export { digestOf, nextMark, partsOf, PlaceChecks } from "./marks.ts";
export { upcast, type Upcasters } from "./upcasting.ts";
