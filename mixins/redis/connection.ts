// One connection to Redis for each broker. Redis holds only values that are fast to get or not needed: a command that
// cannot be sent fails at once. A command without an answer fails after a second and ends the connection, so that the
// commands after it fail at once too. No command is queued or sent twice. The connection is made anew by itself.
import { Redis } from "ioredis";
import type { ServiceBroker } from "moleculer";
import type { Unavailable } from "../kernel/index.ts";
import { backoffMs, dependsOn, nodeEnvironment, type DependencyState, type Outcome } from "../kernel/index.ts";
import { traceCommands } from "./commands.ts";
import { redisEnvironment } from "./environment.ts";
import { metersOf, reading } from "../metrics/index.ts";
import { redisErrors } from "./errors.ts";
import { redisMetrics } from "./metrics.ts";

export const limits = {
  /**
   * Milliseconds until a command that was sent counts as lost: a hundred times what a loaded server takes, a tenth of a
   * call's time.
   */
  answerMs: 1_000,
  /** Milliseconds until an attempt to connect counts as lost, and each command of the greeting. */
  connectMs: 2_000,
  /** Bounds of the pause between two attempts to connect. */
  retryMinMs: 50,
  retryMaxMs: 2_000,
  /** Milliseconds until a connection that we have closed is cut: a frozen server never closes it. */
  goodbyeMs: 50,
} as const;

/**
 * Errors of a server that is there and refuses: out of memory, a replica, loading, cannot write to its disk, busy with
 * a script.
 */
const UNWILLING = /^(OOM|READONLY|LOADING|MISCONF|BUSY|MASTERDOWN|NOREPLICAS|CLUSTERDOWN|TRYAGAIN|NOAUTH|NOPERM) /;

type Logger = Pick<ServiceBroker["logger"], "info" | "warn">;

export class RedisConnection {
  readonly url: string;
  /** The beginning of all keys of this namespace. */
  readonly prefix: string;
  /** Resolves when the first attempt to connect has ended, with or without success. */
  readonly tried: Promise<void>;
  readonly #client: Redis;
  readonly #logger: Logger;
  readonly #observers: ((isUp: boolean) => void)[] = [];
  #isUp: boolean | undefined;
  #closing = false;
  #reason = "connection closed";

  constructor(url: string, namespace: string, logger: Logger) {
    this.url = url;
    this.#logger = logger;
    this.prefix = namespace === "" ? "valence:" : `valence-${namespace}:`;
    this.#client = new Redis(url, {
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      commandTimeout: limits.connectMs,
      connectTimeout: limits.connectMs,
      disconnectTimeout: limits.goodbyeMs,
      retryStrategy: attempt => backoffMs(attempt, { baseMs: limits.retryMinMs, capMs: limits.retryMaxMs }),
      // After a fail-over the address leads to the new primary, the connection to the old one.
      reconnectOnError: ({ message }) => message.startsWith("READONLY"),
    });
    traceCommands(this.#client);
    this.#client.on("error", error => (this.#reason = error.message));
    this.tried = new Promise(resolve => {
      this.#client.on("ready", () => this.#turn(true)).once("ready", resolve);
      this.#client.on("close", () => this.#turn(false)).once("close", resolve);
    });
  }

  get isUp(): boolean {
    return this.#isUp === true;
  }

  /** Calls back whenever Redis goes away or comes back. */
  observe(observer: (isUp: boolean) => void): void {
    this.#observers.push(observer);
  }

  /**
   * Sends commands. Unavailable `REDIS_UNAVAILABLE` while Redis is away: outcome none if nothing was sent; `lost` is the
   * outcome when the answer did not come: none for a command that may be repeated without harm. Default unknown.
   */
  async run<T>(work: (client: Redis) => Promise<T>, lost: Outcome = "unknown"): Promise<T> {
    if (!this.isUp) throw away("none");
    try {
      return await this.#inTime(work(this.#client));
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      if (error.name === "ReplyError") throw UNWILLING.test(error.message) ? away("none", error) : error;
      throw away(error.message.startsWith("Stream isn't writeable") ? "none" : lost, error);
    }
  }

  /** How it stands now, for operators. Rejects while it is away. */
  async state(): Promise<DependencyState> {
    const began = performance.now();
    await this.run(client => client.ping(), "none").catch((error: Error) => {
      throw this.isUp ? error : new Error(`cannot be reached (${this.#reason})`);
    });
    const latencyMs = Math.round((performance.now() - began) * 10) / 10;
    return { status: "ok", message: `answers in ${latencyMs} ms`, figures: { latencyMs } };
  }

  async close(): Promise<void> {
    this.#closing = true;
    if (this.isUp) await this.#client.quit().catch(() => {});
    this.#client.disconnect();
  }

  /** Ends the connection without an answer in time. After a busy second the answer may wait unread: it is read first. */
  async #inTime<T>(answer: Promise<T>): Promise<T> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    let isAnswered = false;
    const giveUp = (): void => {
      if (isAnswered) return;
      this.#reason = `no answer in ${limits.answerMs} ms`;
      reject(new Error(this.#reason));
      this.#turn(false);
      this.#client.disconnect(true);
    };
    const timer = setTimeout(() => setImmediate(giveUp), limits.answerMs);
    try {
      return await Promise.race([answer, late]);
    } finally {
      isAnswered = true;
      clearTimeout(timer);
    }
  }

  #turn(isUp: boolean): void {
    const before = this.#isUp;
    this.#isUp = isUp;
    if (before === isUp || this.#closing) return;
    if (!isUp) this.#logger.warn(`Redis cannot be reached (${this.#reason}): going on without`);
    else if (before === false) this.#logger.info("Redis is back");
    for (const observer of this.#observers) observer(isUp);
  }
}

const away = (outcome: Outcome, cause?: unknown): Unavailable => redisErrors.REDIS_UNAVAILABLE({ outcome, cause });

const connections = new WeakMap<ServiceBroker, RedisConnection>();

/** The broker's connection: made at the first request, closed after all services. Undefined without `REDIS_URL`. */
export function redisOf(broker: ServiceBroker): RedisConnection | undefined {
  const { REDIS_URL } = redisEnvironment.of(broker);
  if (REDIS_URL === undefined) return undefined;
  const known = connections.get(broker);
  if (known) return known;
  const connection = new RedisConnection(REDIS_URL, nodeEnvironment.of(broker).NAMESPACE, broker.getLogger("redis"));
  connections.set(broker, connection);
  broker.middlewares.add({ name: "CloseRedis", stopped: () => connection.close() });
  dependsOn(broker, { kind: "redis", name: new URL(REDIS_URL).host, ask: () => connection.state() });
  // Asked, since a connection that nobody uses does not learn that the server hangs.
  const isUp = (): Promise<0 | 1> =>
    connection.state().then(
      () => 1,
      () => 0,
    );
  metersOf(broker)?.read("redis", async () => [reading(redisMetrics.up, await isUp())], {
    readMs: 2 * limits.answerMs,
  });
  return connection;
}
