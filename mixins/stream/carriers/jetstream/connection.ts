// One connection to JetStream a broker, made in the background, and again whenever it is lost: its users do without it while
// the server is away. The transporter has another one: the bus of calls may be another server, and fails by itself.
import type { ServiceBroker } from "moleculer";
import { setTimeout as sleep } from "node:timers/promises";
import {
  connect,
  Events,
  type JetStreamClient,
  type JetStreamManager,
  type NatsConnection,
  type NatsError,
  type ConnectionOptions,
  type Status,
} from "nats";
import { closeWithBroker } from "../../../database/mixin.ts";
import { dependsOn, natsOptions, nodeEnvironment, type DependencyState } from "../../../kernel/index.ts";
import { metersOf, reading } from "../../../metrics/index.ts";
import { meanwhileWithout, streamEnvironment } from "../../environment.ts";
import { streamMetrics } from "../../metrics.ts";

const limits = {
  /** Milliseconds between two attempts to connect. */
  reconnectMs: 200,
  /** Milliseconds that one attempt, or one request, may take. */
  requestMs: 2_000,
  /** Milliseconds between two pings, and how many may stay unanswered. */
  pingMs: 2_000,
  pingsUnanswered: 2,
};

export interface JetStream {
  readonly nats: NatsConnection;
  readonly client: JetStreamClient;
  readonly manager: JetStreamManager;
}

interface Account {
  /** The domain of JetStream, or the account that stands under this name: its subjects begin with `$JS.<domain>.API`. */
  readonly domain?: string | undefined;
  /** What an outage means, where it is not that consumers read the logs. */
  readonly meanwhile?: string;
  /** Told each subject that the server denies, once. */
  readonly onDenied?: (subject: string) => void;
}

export class Connection {
  readonly #options: ConnectionOptions;
  readonly #account: Account;
  readonly #denied = new Set<string>();
  readonly #listeners = new Set<() => void>();
  #made: JetStream | undefined;
  #isUp = false;
  #closed = false;

  constructor(options: ConnectionOptions, account: Account = {}) {
    this.#options = options;
    this.#account = account;
    void this.#connect();
  }

  /** The connection; undefined while the server is away. */
  get jetStream(): JetStream | undefined {
    return this.#isUp ? this.#made : undefined;
  }

  /** Calls back when the server comes or goes. Returns its undo. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** How it stands now, for operators. A user of a role may ask JetStream for its own streams only, so that it is not asked. */
  async state(): Promise<DependencyState> {
    if (!this.#isUp)
      return {
        status: "FAIL",
        message: `the connection to JetStream is gone: ${this.#account.meanwhile ?? "consumers read the logs"}`,
        advice: "is the server of NATS_URL running, and can this machine reach it?",
      };
    const rttMs = await this.#made!.nats.rtt();
    return { status: "ok", message: `connected, ${rttMs} ms there and back`, figures: { rttMs } };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#change(false);
    await this.#made?.nats.close();
  }

  async #connect(): Promise<void> {
    while (!this.#closed)
      try {
        const nats = await connect({
          ...this.#options,
          timeout: limits.requestMs,
          maxReconnectAttempts: -1,
          reconnectTimeWait: limits.reconnectMs,
          pingInterval: limits.pingMs,
          maxPingOut: limits.pingsUnanswered,
        });
        this.#made = await jetStreamOf(nats, this.#account.domain);
        if (this.#closed) return await nats.close();
        this.#change(true);
        for await (const status of nats.status())
          if (status.type === Events.Disconnect) this.#change(false);
          else if (status.type === Events.Reconnect) this.#change(true);
          else if (status.type === Events.Error) this.#deny(status);
        // The client has given the connection up.
        this.#change(false);
      } catch {
        await sleep(limits.reconnectMs, undefined, { ref: false });
      }
  }

  /** A consumer has a name of its own each time, which is left out. */
  #deny({ permissionContext }: Denial): void {
    const subject = permissionContext?.subject.replace(/\b[\da-f]{32}\b/, "*");
    if (subject === undefined || this.#denied.has(subject)) return;
    this.#denied.add(subject);
    this.#account.onDenied?.(subject);
  }

  #change(isUp: boolean): void {
    this.#isUp = isUp;
    for (const listener of this.#listeners) listener();
  }
}

type Denial = Status & { readonly permissionContext?: NatsError["permissionContext"] };

export async function jetStreamOf(nats: NatsConnection, domain: string | undefined): Promise<JetStream> {
  const options = { timeout: limits.requestMs, checkAPI: false, ...(domain !== undefined && { domain }) };
  return { nats, client: nats.jetstream(options), manager: await nats.jetstreamManager(options) };
}

const connections = new WeakMap<ServiceBroker, Connection>();

/** The broker's connection, closed with it. */
export function connectionOf(broker: ServiceBroker): Connection {
  const known = connections.get(broker);
  if (known) return known;
  const node = nodeEnvironment.of(broker);
  const connection = new Connection(natsOptions(node.NATS_URL!, node), {
    domain: streamEnvironment.of(broker).JETSTREAM_DOMAIN,
    meanwhile: meanwhileWithout("jetstream", broker),
    onDenied: subject =>
      broker.logger.error(
        `the NATS server does not let this node use ${subject}: \`npx valence nats-conf\` writes the subjects of its role`,
      ),
  });
  connections.set(broker, connection);
  dependsOn(broker, { kind: "carrier", name: "JetStream", ask: () => connection.state() });
  metersOf(broker)?.read("carrier", () => [reading(streamMetrics.carrierConnected, connection.jetStream ? 1 : 0)]);
  closeWithBroker(broker, () => connection.close());
  return connection;
}
