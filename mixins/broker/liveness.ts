// Finds out that a node is gone by asking it, instead of waiting for a missing heartbeat. After a `kill -9`, calls went
// to the dead node for up to a minute (6 s with a heartbeat every second); with this for a tenth of a second.
//
//   1. Each node asks the next three in the ring of all node ids, three times a second. The question goes to a subject of the node's own that its main loop answers.
//   2. When the process is gone, the NATS server says so at once ("no responders"), to a question and to any request. The node is asked once more a moment later.
//   3. If it is still gone, it is removed from the registry, its calls in flight are rejected, and the other nodes are told, so that each asks for itself.
//
// A node that is connected but does not answer for 5 s, twice, is removed as well: its loop hangs, while a busy loop
// answers in time. A node that was removed by mistake comes back with its next packet.
//
// N nodes send 10 N questions and 10 N answers a second in all (1,000 each with 100 nodes), besides their heartbeats.
import { setTimeout as sleep } from "node:timers/promises";
import type { ServiceBroker } from "moleculer";
import type { Answer, Asking } from "./transporters/asking.ts";

const limits = {
  /** Milliseconds between two rounds, and the number of nodes that a round asks. */
  roundMs: 300,
  watched: 3,
  /** Milliseconds that a node's loop may take to answer. */
  silentMs: 5_000,
  /** Milliseconds until a node that seems to be gone is asked again, and milliseconds for that second answer. */
  againMs: 100,
  decidingMs: 1_000,
  /** Milliseconds after connecting during which no node counts as gone: the others may still be reconnecting. */
  graceMs: 1_000,
};

interface Node {
  readonly id: string;
  readonly local: boolean;
  readonly available: boolean;
  readonly instanceID: string;
}

export const liveness = {
  name: "Liveness",
  async started(broker: ServiceBroker) {
    const transporter = (broker.transit as { tx?: Partial<Asking> } | undefined)?.tx;
    if (!transporter?.probe) return;
    const watch = new Watch(broker, transporter as Asking);
    const rounds = setInterval(() => watch.round(), limits.roundMs).unref();
    watches.set(broker, () => clearInterval(rounds));
  },
  async stopping(broker: ServiceBroker) {
    watches.get(broker)?.();
  },
};
const watches = new WeakMap<ServiceBroker, () => void>();

class Watch {
  readonly #broker: ServiceBroker;
  readonly #transporter: Asking;
  /** Time of each node's last answer, on the monotonic clock. */
  readonly #answeredAt = new Map<string, number>();
  /** Nodes that seem to be gone and are being asked once more. */
  readonly #doubted = new Set<string>();

  constructor(broker: ServiceBroker, transporter: Asking) {
    this.#broker = broker;
    this.#transporter = transporter;
    transporter.onUndelivered = nodeId => this.#doubt(nodeId);
    transporter.onLost = nodeId => this.#doubt(nodeId);
  }

  round(): void {
    for (const { id } of this.#next()) void this.#ask(id);
  }

  /** The live nodes that follow this one in the ring: whichever nodes die, others ask them. */
  #next(): Node[] {
    const ring = this.#nodes().filter(({ available }) => available);
    ring.sort((a, b) => (a.id < b.id ? -1 : 1));
    const own = ring.findIndex(({ local }) => local);
    return [...ring.slice(own + 1), ...ring.slice(0, own)].slice(0, limits.watched);
  }

  /** A new question each round, even while the last one is unanswered: the process may have died with it. */
  async #ask(nodeId: string): Promise<void> {
    const askedAt = performance.now();
    const answer = await this.#transporter.probe(nodeId, limits.silentMs);
    if (typeof answer === "object") this.#answeredAt.set(nodeId, performance.now());
    const isSilent = answer === "silent" && (this.#answeredAt.get(nodeId) ?? -Infinity) < askedAt;
    if (answer === "gone" || isSilent) this.#doubt(nodeId);
  }

  #doubt(nodeId: string): void {
    const node = this.#nodes().find(({ id }) => id === nodeId);
    if (!node?.available || node.local || this.#doubted.has(nodeId)) return;
    this.#doubted.add(nodeId);
    void this.#askAgain(node).finally(() => this.#doubted.delete(nodeId));
  }

  /**
   * Asks again. This also covers a pause of our own loop, in which the first answer lay unread until its time had run
   * out.
   */
  async #askAgain(node: Node): Promise<void> {
    const { id, instanceID } = node;
    await sleep(limits.againMs, undefined, { ref: false });
    const answer = await this.#transporter.probe(id, limits.decidingMs);
    if (this.#isThere(answer, instanceID) || node.instanceID !== instanceID || !node.available) return;
    this.#broker.logger.warn(`node '${id}' ${answer === "silent" ? "does not answer" : "is gone"}`);
    (this.#broker.registry.nodes as unknown as Nodes).disconnected(id, true);
    this.#answeredAt.delete(id);
    this.#transporter.tellLost(id);
    if (typeof answer === "object") this.#discover(id);
  }

  /** Another process with the same node id is not the one that has the calls in flight. */
  #isThere(answer: Answer | undefined, instance: string): boolean {
    if (answer === undefined || performance.now() - this.#transporter.connectedAt < limits.graceMs) return true;
    return typeof answer === "object" && answer.instance === instance;
  }

  #discover(nodeId: string): void {
    void (this.#broker.registry as unknown as { discoverer: Discoverer }).discoverer.discoverNode(nodeId);
  }

  #nodes(): Node[] {
    return (this.#broker.registry.nodes as unknown as Nodes).toArray();
  }
}

interface Nodes {
  toArray(): Node[];
  disconnected(nodeId: string, unexpected: boolean): void;
}
interface Discoverer {
  discoverNode(nodeId: string): Promise<unknown>;
}
