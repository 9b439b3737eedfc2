// The door for sibling floors, `broker/` and scripts.
export { ARCHIVE_PARAMS, archiveFinished, type Archived, type ArchiveOptions } from "./archive.ts";
export { ActorHost } from "./host.ts";
export { ACTOR_LIMITS } from "./limits.ts";
export { readLogOf, toLogEvent } from "./log.ts";
export { fittingOf } from "./log-page.ts";
export { LIKE, storeSizes, TRACED, type ActorLike, type Like, type Traced } from "./operations.ts";
