// Publishing of a service's log to the carrier of its broker, if the carrier needs that: JetStream and Kafka do, the local
// one reads the log itself.
import type { Context, Service, ServiceSchema } from "moleculer";
import { nodeEnvironment } from "../../kernel/index.ts";
import { Channel } from "../carriers/jetstream/channel.ts";
import { connectionOf } from "../carriers/jetstream/connection.ts";
import { jetStreamOutlet } from "../carriers/jetstream/outlet.ts";
import { kafkaOf } from "../carriers/kafka/connection.ts";
import { kafkaOutlet } from "../carriers/kafka/outlet.ts";
import { Topic } from "../carriers/kafka/topic.ts";
import { streamEnvironment } from "../environment.ts";
import type { LogPart } from "../log/part.ts";
import { COMMITTED, type Committed, type Cursor, type LogPage } from "../log/source.ts";
import { Relay, type Outlet, type RelayLimits } from "./relay.ts";

/** The log that is published, as its owner reads it. */
export interface OwnLog {
  read(cursor: Cursor, limit: number, mark?: string): Promise<LogPage>;
  /** The same, of which it decodes the events of streams that `takes` says yes to. */
  readPart(
    cursor: Cursor,
    limit: number,
    mark: string | undefined,
    takes: (stream: string) => boolean,
  ): Promise<LogPart>;
  /** The cursor after the newest event, and how many events lie after `cursor`. */
  head(cursor: Cursor): Promise<{ cursor: Cursor; behind: number }>;
  /** Calls back after commits of this process. Returns its undo. */
  onCommit(listener: () => void): () => void;
}

/** How far a log is published, whichever node publishes it. The place is written every half a second. */
export interface RelayStatus {
  readonly lagEvents: number;
  /** Milliseconds since the oldest event that is not published was recorded; 0 when there is none. */
  readonly lagMs: number;
  /** Whether this node is connected to the carrier. */
  readonly isConnected: boolean;
  /** The parts in which nodes share the publishing; absent where one node does it. */
  readonly partitions?: readonly RelayPartition[];
}
export interface RelayPartition {
  readonly partition: number;
  /** The node that publishes it; null while none does. */
  readonly owner: string | null;
  /** Events of all partitions after the place up to which this one is published. */
  readonly lagEvents: number;
}

export interface Publisher {
  /** The origin that the pages of the log name: see LogPage. */
  readonly origin: string;
  /** The secret of the carrier's seals; likewise. */
  readonly seal: string | undefined;
  /** There may be something new in the log. */
  wake(): void;
  status(): Promise<RelayStatus>;
  stop(): Promise<void>;
}

/** Starts to publish a service's log. Undefined if its carrier needs none of it. */
export async function publishLog(
  service: Service,
  log: OwnLog,
  limits: Partial<RelayLimits> = {},
): Promise<Publisher | undefined> {
  const outlet = outletOf(service);
  return outlet && Relay.start(service, log, outlet, limits);
}

function outletOf({ broker, fullName, metadata }: Service): Outlet | undefined {
  const { NAMESPACE: namespace } = nodeEnvironment.of(broker);
  switch (streamEnvironment.of(broker).CARRIER) {
    case "local":
      return undefined;
    case "jetstream":
      return jetStreamOutlet(connectionOf(broker), new Channel(namespace, fullName));
    case "kafka": {
      const { events: versions, secrets, personal } = metadata;
      const owner = { namespace, service: fullName, versions, secrets, personal };
      return kafkaOutlet(kafkaOf(broker), new Topic(broker, fullName), owner);
    }
  }
}

/** Mixed into a service that owns events: wakes its `publisher` when another node has committed, and this one publishes. */
export const Publishing = {
  events: {
    [COMMITTED]: {
      handler(this: Service & { publisher?: Publisher }, ctx: Context<Committed>) {
        if (ctx.params.service === this.fullName) this.publisher?.wake();
      },
    },
  },
} as Partial<ServiceSchema>;
