// The door for sibling floors, `broker/` and scripts: the parts that services do not need.
export { releasedByAll, type Held, type Kept, type Released } from "./consumer/acknowledged.ts";
export { forgetConsumer } from "./consumer/checkpoint.ts";
export type { Consumer, Failures } from "./consumer/consumer.ts";
export { consumersOf, type Consumers } from "./consumer/consumers.ts";
export { Consuming } from "./consumer/consuming.ts";
export { resetConsumer, type Reset, type ResetReport } from "./consumer/reset.ts";
export { singletonOf, type Singleton } from "./consumer/singleton.ts";
export type { ConsumerStatus } from "./consumer/status.ts";
export { makeStreams, streamUses, type StreamUse } from "./carriers/jetstream/streams.ts";
export { Subscribers } from "./consumer/subscribers.ts";
export { STREAM_LIMITS } from "./limits.ts";
export { markIn, stoppedOf } from "./log/identity.ts";
export { isAtOrPast } from "./log/source.ts";
export { STREAM_INDEXES } from "./migrations.ts";
export { startNotifier } from "./publish/notifier.ts";
export { publishLog, Publishing, type Publisher, type RelayStatus } from "./publish/publisher.ts";
export { streamTables } from "./tables.ts";
