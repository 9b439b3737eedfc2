// Moleculer's TCP transporter for the workers of one machine. The supervisor tells each worker of the others through
// the channel between parent and child, so nothing is broadcast on the network. What differs (moleculer 0.15.2,
// src/transporters/tcp.js):
//
//   1. it listens on every interface; here only on the loopback interface
//   2. news travel by gossip every two seconds; here a worker that joins, changes or leaves tells all others at once
//   3. only workers with a connection to it notice that a worker died; here all have one
//   4. a packet that could not be sent fails with any error of the socket; here as "not available"
//   5. a packet that is too large closes the connection, with all calls in flight on it; here it is not sent
import { once } from "node:events";
import type { Server } from "node:net";
import { Errors, Transporters } from "moleculer";
import { PAYLOAD_BYTES, type FromSupervisor, type FromWorker } from "../../kernel/index.ts";
import type { Answer, Asking, Packet } from "./asking.ts";
import { refuseOversize } from "./oversize.ts";

const HOST = "127.0.0.1";
const limits = {
  /**
   * Bytes that a reader keeps before it closes the connection: it counts an incomplete packet together with the last
   * chunk, 64 KiB at most, and the beginning of the next packet.
   */
  unreadBytes: PAYLOAD_BYTES + 128 * 1_024,
};

interface Node {
  readonly id: string;
  readonly local: boolean;
  readonly available: boolean;
  readonly instanceID: string;
}
/** The parts of Moleculer's class that we use; its own types declare few of them. */
interface Base {
  opts: { port: number };
  connected: boolean;
  nodeID: string;
  reader: { server: Server };
  nodes: {
    get(id: string): Node | undefined;
    toArray(): Node[];
    delete(id: string): void;
    disconnected(id: string, unexpected: boolean): void;
  };
  registry: { getNodeInfo(id: string): object };
  broker: any;
  startTcpServer(): Promise<void>;
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  addOfflineNode(id: string, address: string, port: number): Node;
  publish(packet: Packet): Promise<void>;
  send(topic: string, data: Buffer, meta: { packet: Packet }): Promise<void>;
}
const Tcp = Transporters.TCP as unknown as new (options: object) => Base;

export class TcpTransporter extends Tcp implements Asking {
  onUndelivered: Asking["onUndelivered"] = () => {};
  onLost: Asking["onLost"] = () => {};
  connectedAt = -Infinity;
  /** As much as NATS carries: a call that works between workers also works between pods. */
  readonly payloadBytesMax = PAYLOAD_BYTES;
  readonly #hear = (message: FromSupervisor): void => this.#onMessage(message);

  constructor() {
    super({ udpDiscovery: false, maxPacketSize: limits.unreadBytes });
  }

  override async startTcpServer(): Promise<void> {
    await super.startTcpServer();
    const { server } = this.reader;
    server.close();
    await once(server, "close");
    // Exclusive: otherwise the processes of Node's cluster module would share the port.
    server.listen({ host: HOST, port: 0, exclusive: true });
    await once(server, "listening");
    this.opts.port = (server.address() as { port: number }).port;
  }

  getNodeAddress(): string {
    return HOST;
  }

  override async connect(): Promise<void> {
    await super.connect();
    this.connectedAt = performance.now();
    process.on("message", this.#hear);
    process.send?.({ listening: { nodeId: this.nodeID, port: this.opts.port } } satisfies FromWorker);
  }

  override async disconnect(): Promise<void> {
    process.off("message", this.#hear);
    await super.disconnect();
  }

  /** News of this node go to all others, as an answer to a gossip request that they have not made. */
  override publish(packet: Packet): Promise<void> {
    if (packet.type !== "INFO" || packet.target) return super.publish(packet);
    for (const { id, local } of this.nodes.toArray()) if (!local) this.#introduce(id);
    return this.broker.Promise.resolve();
  }

  override send(topic: string, data: Buffer, meta: { packet: Packet }): Promise<void> {
    if (data.length > this.payloadBytesMax)
      return refuseOversize(this.broker.transit, meta.packet, data.length, this.payloadBytesMax);
    return super.send(topic, data, meta).catch((error: unknown) => {
      const { type, target, payload } = meta.packet;
      if (type !== "REQ") throw error;
      this.onUndelivered(target!);
      throw new Errors.ServiceNotAvailableError({ action: (payload as { action: string }).action, nodeID: target! });
    });
  }

  /** A ping, which the node's main loop answers. The supervisor reports when a process is gone. */
  async probe(nodeId: string, withinMs: number): Promise<Answer | undefined> {
    const node = this.nodes.get(nodeId);
    if (!this.connected || !node) return undefined;
    const answered = await this.broker.ping(nodeId, withinMs).catch(() => null);
    return answered ? { instance: node.instanceID } : "silent";
  }

  /** Not needed: the supervisor tells every worker. */
  tellLost(): void {}

  #onMessage(message: FromSupervisor): void {
    if ("gone" in message) {
      this.nodes.disconnected(message.gone, true);
      this.nodes.delete(message.gone);
    } else if ("peer" in message) {
      const { nodeId, port } = message.peer;
      if (!this.nodes.get(nodeId)) this.addOfflineNode(nodeId, HOST, port);
      this.#introduce(nodeId);
    }
  }

  /** Sends the description of this node. That opens a connection, by which each side notices the end of the other. */
  #introduce(nodeId: string): void {
    if (!this.broker.transit.isReady) return;
    const online = { [this.nodeID]: [this.registry.getNodeInfo(this.nodeID), 0, 0] };
    void this.publish({ type: "GOSSIP_RES", target: nodeId, payload: { online } }).catch(() => {});
  }
}
