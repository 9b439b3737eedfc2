// Moleculer's NATS transporter, made to fail at once where it would wait for ever. Its defects (moleculer 0.15.2,
// src/transporters/nats.js), and what happened to calls when the server was away for 3 s:
//
//   1. it does not notice that the connection is gone: calls in flight hung until their time-out, or for ever
//   2. nats.js drops what is published meanwhile: new calls hung as well
//   3. a request to a node that is gone reaches no subscriber, which the server reports ("no responders") only if asked
//   4. replies that fall into a gap are lost: their caller, still connected, waited until its time-out
//   5. a packet larger than the server takes fails with an error of the client, as a 500
//   6. a second process with the same node id ends the first one
//   7. a subscription that the server denies ends the client's reader: the start resolves, and the node hears nothing
//   8. a call that the server denies is dropped without a word to its caller, who waited until the time-out
import { Errors, Transporters } from "moleculer";
import { Events, type Msg, type NatsConnection, type NatsError, type Status } from "nats";
import { PAYLOAD_BYTES, type natsOptions } from "../../kernel/index.ts";
import { brokerErrors } from "../errors.ts";
import type { Answer, Asking, Packet } from "./asking.ts";
import { rivalOf } from "./claim.ts";
import { refuseOversize } from "./oversize.ts";

const limits = {
  /** Milliseconds between two attempts to reconnect. */
  reconnectMs: 200,
  /**
   * Milliseconds between two pings, and how many may stay unanswered: a connection that is cut in one direction ends
   * after 4 s.
   */
  pingMs: 2_000,
  pingsUnanswered: 2,
  /** Replies kept while the connection is away; the oldest are dropped first. */
  repliesKept: 10_000,
  /** Milliseconds that a stop waits for published packets to leave. */
  flushMs: 1_000,
  /** Milliseconds within which the denial of one subject is logged once: every call of a busy node may be denied. */
  deniedAgainMs: 60_000,
};

/** The parts of Moleculer's class that we use; its own types declare few of them. */
interface Base {
  client: NatsConnection | null;
  connected: boolean;
  prefix: string;
  nodeID: string;
  transit: {
    connect(): Promise<unknown>;
    /** Rejects when a further attempt to connect cannot help. */
    disconnecting: boolean;
    /** Whether the start has got past connecting. */
    readonly isReady: boolean;
    pendingRequests: Map<string, { action: { name: string }; nodeID: string; reject(error: Error): void }>;
    removePendingRequest(id: string): void;
    removePendingRequestByNodeID(nodeID: string): void;
    sendResponse(nodeId: string, id: string, meta: object, headers: object, data: unknown, error: Error): Promise<void>;
  };
  broker: any;
  logger: {
    info(...message: unknown[]): void;
    warn(...message: unknown[]): void;
    error(...message: unknown[]): void;
  };
  init(transit: Base["transit"], ...handlers: unknown[]): void;
  connect(): Promise<void>;
  disconnect(): Promise<void> | undefined;
  makeSubscriptions(topics: readonly object[]): Promise<void>;
  getTopicName(type: string, nodeID?: string): string;
  receive(type: string, data: Buffer): unknown;
  subscribe(type: string, nodeID?: string): Promise<void>;
  prepublish(packet: Packet): Promise<void>;
  onConnected(wasReconnect?: boolean): Promise<void>;
}
type Denial = Status & { readonly permissionContext?: NatsError["permissionContext"] };
const Nats = Transporters.NATS as unknown as new (options: object) => Base;

export class NatsTransporter extends Nats implements Asking {
  onUndelivered: Asking["onUndelivered"] = () => {};
  onLost: Asking["onLost"] = () => {};
  connectedAt = -Infinity;
  readonly #replies: Packet[] = [];
  readonly #refused = Promise.withResolvers<never>();
  readonly #inboxPrefix: string | undefined;
  #inbox!: string;
  /** The first denial of the server. */
  #denied: Error | undefined;
  /** When the denial of a subject was logged; monotonic. */
  readonly #deniedAt = new Map<string, number>();

  /** Moleculer's own parser of URLs knows neither lists nor TLS. */
  constructor(options: ReturnType<typeof natsOptions>) {
    super({
      ...options,
      reconnectTimeWait: limits.reconnectMs,
      reconnectJitter: 50,
      pingInterval: limits.pingMs,
      maxPingOut: limits.pingsUnanswered,
    });
    this.#inboxPrefix = options.inboxPrefix;
  }

  /** Moleculer tries for ever to connect; here the start fails when that cannot help. */
  override init(transit: Base["transit"], ...handlers: unknown[]): void {
    super.init(transit, ...handlers);
    const connect = transit.connect.bind(transit);
    transit.connect = () => Promise.race([connect(), this.#refused.promise]);
    // A start that fails for another reason does not wait for it.
    this.#refused.promise.catch(() => {});
  }

  /** Bytes of one message that the connected server takes; after an outage it may be another server. */
  get payloadBytesMax(): number {
    return this.client?.info?.max_payload ?? PAYLOAD_BYTES;
  }

  /** The part of the transporter that `$node.options` shows: the other fields hold user and password. */
  toJSON(): object {
    return { type: "NATS" };
  }

  override async connect(): Promise<void> {
    await super.connect();
    this.connectedAt = performance.now();
  }

  /** Moleculer's own flushes first, and would wait for a server that is away. */
  override async disconnect(): Promise<void> {
    const { client } = this;
    if (!client) return;
    const late = new Promise<void>(resolve => setTimeout(resolve, limits.flushMs).unref());
    // A connection that ends meanwhile has nothing left to send.
    if (this.connected) await Promise.race([client.flush().catch(() => {}), late]);
    await Promise.race([client.close(), late]);
    this.client = null;
  }

  override async makeSubscriptions(topics: readonly object[]): Promise<void> {
    const client = this.client!;
    void this.#watch(client);
    await this.#claim(client);
    this.#inbox = `${this.prefix}.UNDELIVERED.${this.nodeID}`;
    this.#listen(`${this.#inbox}.*`, message => this.#undelivered(message));
    // Answered on the main loop, so that a node whose loop hangs does not count as alive.
    this.#listen(this.#probeSubject(this.nodeID), message => void message.respond(this.broker.instanceID));
    this.#listen(`${this.prefix}.LOST`, message => this.onLost(message.string()));
    await super.makeSubscriptions(topics);
    // The server has judged every subscription before it answers this.
    await client.flush();
    await this.#permitted(client);
  }

  override subscribe(type: string, nodeID?: string): Promise<void> {
    this.#listen(this.getTopicName(type, nodeID), message => void this.receive(type, Buffer.from(message.data)));
    return this.broker.Promise.resolve();
  }

  /** Subscribes. A subscription that is denied fails the start; later, as after a change of the server's users, it is logged. */
  #listen(subject: string, hear: (message: Msg) => void): void {
    this.client!.subscribe(subject, {
      // A denial is told by the client's status as well.
      callback: (error, message) => {
        if (!error) hear(message);
      },
    });
  }

  #deny(verb: "hear" | "publish", subject: string): void {
    this.#denied ??= brokerErrors.SUBJECT_DENIED({ verb, subject });
    const now = performance.now();
    if (now - (this.#deniedAt.get(subject) ?? -Infinity) < limits.deniedAgainMs) return;
    this.#deniedAt.set(subject, now);
    this.logger.error(`the NATS server does not let this node ${verb} ${subject}`);
  }

  /** Throws the first denial, and ends the start with it. */
  async #permitted(client: NatsConnection): Promise<void> {
    if (this.#denied) await this.#refuse(client, this.#denied);
  }

  /** Ends the start. Moleculer would try again for ever, and say farewell under an id that another process may own. */
  async #refuse(client: NatsConnection, refusal: Error): Promise<never> {
    this.connected = false;
    this.transit.disconnecting = true;
    this.#refused.reject(refusal);
    await client.close();
    throw refusal;
  }

  async #claim(client: NatsConnection): Promise<void> {
    const { broker, nodeID, prefix } = this;
    const subjects = { probe: this.#probeSubject(nodeID), claim: `${prefix}.CLAIM.${nodeID}` };
    const rival = await rivalOf(client, subjects, broker.instanceID, this.#inboxPrefix);
    if (rival !== undefined) await this.#refuse(client, brokerErrors.NODEID_TAKEN({ nodeID }));
  }

  override prepublish(packet: Packet): Promise<void> {
    if (!this.connected && packet.type === "RES" && this.#replies.push(packet) > limits.repliesKept)
      this.#replies.shift();
    return super.prepublish(packet);
  }

  send(topic: string, data: Buffer, { packet }: { packet: Packet }): Promise<void> {
    const { client } = this;
    if (!client || client.isClosed())
      return this.broker.Promise.reject(new Errors.BrokerDisconnectedError("the connection to NATS is closed"));
    if (data.length > this.payloadBytesMax)
      return refuseOversize(this.transit, packet, data.length, this.payloadBytesMax);
    // When no node listens to the topic, the server answers to the reply subject; a node that listens ignores it.
    const isRequest = packet.type === "REQ" && packet.target != null;
    client.publish(topic, data, isRequest ? { reply: `${this.#inbox}.${(packet.payload as { id: string }).id}` } : {});
    return this.broker.Promise.resolve();
  }

  async probe(nodeId: string, withinMs: number): Promise<Answer | undefined> {
    const { client } = this;
    if (!this.connected || !client) return undefined;
    try {
      const answer = await client.request(this.#probeSubject(nodeId), undefined, { timeout: withinMs });
      return { instance: answer.string() };
    } catch (error) {
      if (!this.connected || client.isClosed()) return undefined;
      return (error as { code?: string }).code === NO_RESPONDERS ? "gone" : "silent";
    }
  }

  tellLost(nodeId: string): void {
    if (this.connected && !this.client!.isClosed()) this.client!.publish(`${this.prefix}.LOST`, nodeId);
  }

  #probeSubject(nodeId: string): string {
    return `${this.prefix}.PROBE.${nodeId}`;
  }

  #undelivered(message: Msg): void {
    if (`${message.headers?.code}` !== NO_RESPONDERS) return;
    const id = message.subject.slice(this.#inbox.length + 1);
    const request = this.transit.pendingRequests.get(id);
    if (!request) return;
    const { action, nodeID } = request;
    this.transit.removePendingRequest(id);
    request.reject(new Errors.ServiceNotAvailableError({ action: action.name, nodeID }));
    this.onUndelivered(nodeID);
  }

  async #watch(client: NatsConnection): Promise<void> {
    for await (const status of client.status()) {
      const { type } = status;
      if (type === Events.Error) this.#onError(status);
      else if (type === Events.Disconnect) this.#onDisconnect();
      // An error must not end this loop: it would never notice the next outage.
      else if (type === Events.Reconnect)
        await this.#onReconnect().catch((error: unknown) =>
          this.logger.error("restoring the state after the outage failed", error),
        );
    }
  }

  #onError({ permissionContext }: Denial): void {
    if (!permissionContext) return;
    const { operation, subject } = permissionContext;
    this.#deny(operation === "publish" ? "publish" : "hear", subject);
    if (!this.transit.isReady) void this.#permitted(this.client!).catch(() => {});
    const calls = `${this.prefix}.REQ.`;
    if (operation === "publish" && subject.startsWith(calls)) this.#failCallsTo(subject.slice(calls.length), subject);
  }

  /**
   * Fails the calls to a node that this one may not call. The server tells the subject and not the packet: a call that was
   * let through before its permissions were changed is among them, so that the outcome is unknown.
   */
  #failCallsTo(nodeID: string, subject: string): void {
    for (const [id, request] of this.transit.pendingRequests) {
      if (request.nodeID !== nodeID) continue;
      this.transit.removePendingRequest(id);
      request.reject(brokerErrors.CALL_DENIED({ nodeID, subject, outcome: "unknown" }));
    }
  }

  #onDisconnect(): void {
    if (!this.connected) return;
    this.connected = false;
    this.logger.warn("the connection to NATS is gone; reconnecting");
    this.broker.broadcastLocal("$transporter.disconnected", { graceFul: false });
    for (const node of this.broker.registry.nodes.toArray())
      if (!node.local) this.transit.removePendingRequestByNodeID(node.id);
  }

  async #onReconnect(): Promise<void> {
    this.logger.info("the connection to NATS is back");
    this.connectedAt = performance.now();
    const replies = this.#replies.splice(0);
    const announced = this.onConnected(true);
    for (const reply of replies) await this.#publishKept(reply);
    await announced;
  }

  /**
   * Sends a kept reply. One that cannot be sent, for example because it is too large, becomes an error, as it would
   * have been without the outage.
   */
  async #publishKept(reply: Packet): Promise<void> {
    try {
      await this.prepublish(reply);
    } catch (error) {
      const { id, meta, headers } = reply.payload as { id: string; meta: object; headers: object };
      await this.transit.sendResponse(reply.target!, id, meta, headers, null, error as Error);
    }
  }
}

const NO_RESPONDERS = "503";
