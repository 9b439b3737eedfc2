// An owner and its consumers on a Kafka, for the tests of the carrier.
import { expect } from "@jest/globals";
import type { ServiceBroker } from "moleculer";
import { dependencyReports } from "../../kernel/index.ts";
import { until } from "../../testing/index.ts";
import { newBrokers, type TestBrokers } from "../../testing/broker.ts";
import { appliedIn, TYPES } from "../consumer/writer.fixture.ts";
import { Source } from "../log/source.fixture.ts";

/** Milliseconds that a dependency may take to say how it stands. */
const ASK_MS = 1_500;

let namespaces = 0;

export class KafkaHouse {
  readonly source = new Source("things", "thing", TYPES);
  readonly brokers: TestBrokers;
  /** Of the owner's events. */
  readonly topic: string;

  private constructor(brokers: TestBrokers, namespace: string) {
    this.brokers = brokers;
    this.topic = `${namespace}.things`;
  }

  /** `env`: how the Kafka is reached. */
  static async open(env: Readonly<Record<string, string>>): Promise<KafkaHouse> {
    const NAMESPACE = `library-${process.pid}-${++namespaces}`;
    return new KafkaHouse(await newBrokers({ ...env, NAMESPACE }), NAMESPACE);
  }

  append(count: number): void {
    for (let i = 0; i < count; i++) this.source.append(`${i % 7}`, TYPES[i % 3]!);
  }

  /** Every event of the log has been applied once, those of each stream in order. */
  async allApplied(broker: ServiceBroker): Promise<void> {
    const seen = await until(
      () => appliedIn(broker),
      list => list.length >= this.source.log.length,
    );
    expect(byStream(seen)).toEqual(byStream(this.source.log.map(({ stream, version }) => `${stream}@${version}`)));
  }

  /** The consumer follows the topic: an event reaches it, and the log is not read. */
  async onTail(broker: ServiceBroker): Promise<void> {
    await until("the consumer follows the topic", async () => {
      const { reads } = this.source;
      this.append(1);
      await this.allApplied(broker);
      return this.source.reads === reads;
    });
  }

  /** Waits until a dependency of a node, `carrier` or `relay`, has this status, and says this. */
  told(broker: ServiceBroker, kind: string, status: string, words: RegExp): Promise<unknown> {
    return until(
      () => dependencyReports(broker, ASK_MS),
      all =>
        all.some(
          each => each.kind === kind && each.status === status && words.test(`${each.message} → ${each.advice}`),
        ),
    );
  }

  /** Everything has been published. */
  published(broker: ServiceBroker): Promise<unknown> {
    return until("everything is published", async () => {
      const { lagEvents } = await broker.call<{ lagEvents: number }>("things.relay");
      return lagEvents === 0;
    });
  }
}

const byStream = (ids: readonly string[]): object =>
  Object.fromEntries([...Map.groupBy(ids, id => id.split("@")[0]!)].sort(([a], [b]) => a.localeCompare(b)));
