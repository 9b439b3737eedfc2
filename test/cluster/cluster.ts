// Brokers in processes of their own on one NATS server and one database, and a broker in the test that calls them. In a run that
// is for Kafka, their events go by a Kafka.
import { ServiceBroker } from "moleculer";
import { setTimeout as sleep } from "node:timers/promises";
import { brokerOptions } from "@valence/runtime/broker";
import { readEnvironment } from "@valence/runtime/kernel";
import { until } from "@valence/runtime/testing";
import { Child, isOnKafka, Kafka, Nats, newDatabases, type Databases } from "@valence/runtime/testing/servers";

const NODE = new URL("node.fixture.ts", import.meta.url).pathname;

/** How a call ended, on the monotonic clock. */
export interface Ended {
  readonly id: string;
  readonly began: number;
  readonly ended: number;
  readonly error: any;
}

/** The program of a node, and the action by which the caller sees that the node has joined. */
export interface NodeKind {
  readonly script: string;
  readonly serves: string;
}
const TALLIES: NodeKind = { script: NODE, serves: "tallies.add" };

export class Cluster {
  readonly nats: Nats;
  /** Carries the events of the nodes; undefined where JetStream does. */
  readonly kafka: Kafka | undefined;
  readonly caller: ServiceBroker;
  readonly nodes = new Map<string, Child>();
  readonly #databases: Databases;
  readonly #kind: NodeKind;
  #named = 0;
  #loads: (() => Promise<unknown>)[] = [];

  private constructor(
    nats: Nats,
    kafka: Kafka | undefined,
    databases: Databases,
    caller: ServiceBroker,
    kind: NodeKind,
  ) {
    this.nats = nats;
    this.kafka = kafka;
    this.#kind = kind;
    this.#databases = databases;
    this.caller = caller;
  }

  /**
   * Starts on databases of its own, of the kind that the run is for, and removes them in the end; or on those that it
   * is given.
   */
  static async start(size: number, own?: Databases, kind: NodeKind = TALLIES): Promise<Cluster> {
    const nats = await Nats.start();
    const kafka = isOnKafka() ? await Kafka.start() : undefined;
    const databases = own ?? (await newDatabases());
    const environment = readEnvironment({ NATS_URL: nats.url, REQUEST_TIMEOUT_MS: "5000" });
    const caller = new ServiceBroker({ ...brokerOptions(environment), nodeID: "caller", logger: false });
    const cluster = new Cluster(nats, kafka, databases, caller, kind);
    await caller.start();
    await Promise.all(Array.from({ length: size }, () => cluster.join()));
    return cluster;
  }

  /** Starts one more node; answers its id once the caller sees it. */
  async join(env: Record<string, string> = {}): Promise<string> {
    const id = env["NODEID"] ?? `node-${++this.#named}`;
    const child = new Child([this.#kind.script], {
      LOGLEVEL: "warn",
      NATS_URL: this.nats.url,
      NODEID: id,
      ...(this.kafka && { KAFKA_BROKERS: this.kafka.servers }),
      ...this.#databases.env,
      ...env,
    });
    this.nodes.set(id, child);
    await until(`${id} has started`, () => {
      if (!child.running) throw new Error(`${id} did not start:\n${child.output}`);
      return child.output.includes("started") && this.live().includes(id);
    });
    return id;
  }

  /** The folder or server of the nodes' databases. */
  get folder(): string {
    return this.#databases.folder;
  }

  /** Nodes that the caller would send a command to. */
  live(): string[] {
    const { endpoints } = this.caller.registry.actions.get(this.#kind.serves) ?? { endpoints: [] };
    return endpoints
      .filter(endpoint => endpoint.isAvailable)
      .map(({ id }) => id)
      .sort();
  }

  /** Nodes that another node would send a command to. */
  peersOf(nodeID: string): Promise<string[]> {
    return this.caller.call("nodes.peers", {}, { nodeID });
  }

  signal(id: string, signal: NodeJS.Signals): void {
    this.nodes.get(id)!.process.kill(signal);
  }

  async end(id: string, signal: NodeJS.Signals): Promise<number | null> {
    const child = this.nodes.get(id)!;
    this.nodes.delete(id);
    return child.end(signal);
  }

  add(id: string): Promise<{ count: number }> {
    return this.caller.call("tallies.add", { id });
  }

  async countOf(id: string): Promise<number> {
    const { state } = await this.caller.call<{ state: { count: number } }, object>("tallies.get", {
      id,
      consistent: true,
    });
    return state.count;
  }

  /** Callers that add one after the other, with a pause, until `stop`. The test itself repeats nothing. */
  load(
    callers: number,
    actors: number,
    pauseMs = 5,
  ): { readonly ended: readonly Ended[]; stop(): Promise<readonly Ended[]> } {
    const ended: Ended[] = [];
    const ending = new AbortController();
    let n = 0;
    const call = async (): Promise<void> => {
      while (!ending.signal.aborted) {
        const id = `t${n++ % actors}`;
        const began = performance.now();
        const error = await this.add(id).then(
          () => undefined,
          (error: unknown) => error,
        );
        ended.push({ id, began, ended: performance.now(), error });
        await sleep(pauseMs);
      }
    };
    const all = Array.from({ length: callers }, call);
    const stop = async (): Promise<readonly Ended[]> => {
      ending.abort();
      await Promise.all(all);
      return ended;
    };
    this.#loads.push(stop);
    return { ended, stop };
  }

  async stop(): Promise<void> {
    await Promise.all(this.#loads.map(stop => stop()));
    for (const id of this.nodes.keys()) {
      this.signal(id, "SIGCONT");
      await this.end(id, "SIGKILL");
    }
    await this.caller.stop();
    await this.kafka?.stop();
    await this.nats.stop();
    await this.#databases.remove();
  }
}
