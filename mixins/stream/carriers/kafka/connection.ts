// The clients of Kafka of one broker of ours, made in the background, and anew whenever the brokers do not answer: their users
// do without them meanwhile. The client is loaded only here, since most processes have no Kafka.
import { subscribe } from "node:diagnostics_channel";
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import type { ServiceBroker } from "moleculer";
import type * as KafkaModule from "@platformatic/kafka";
import type { Admin, BaseOptions, Connection, Producer } from "@platformatic/kafka";
import { closeWithBroker } from "../../../database/mixin.ts";
import {
  certificateState,
  dependsOn,
  Pause,
  settledWithin,
  stopsFirst,
  type CertificateFile,
  type DependencyState,
  type Environment,
} from "../../../kernel/index.ts";
import { metersOf, reading } from "../../../metrics/index.ts";
import { kafkaEnvironment, meanwhileWithout } from "../../environment.ts";
import { streamMetrics } from "../../metrics.ts";
import { problemOf, type Problem } from "./problems.ts";

const limits = {
  /** Milliseconds between two questions whether the brokers answer, while they do and while they do not. */
  askMs: 2_000,
  askAgainMs: 500,
  /** Milliseconds that one attempt to connect, and one request, may take. */
  connectMs: 2_000,
  requestMs: 5_000,
  /** Attempts of one publishing, and the milliseconds between them: a partition gets another leader within some seconds. */
  retries: 10,
  retryMs: 300,
  /** Milliseconds that a node which stops waits for an answer. What is not published then, another node publishes. */
  leaveMs: 1_000,
};

type Client = typeof KafkaModule;

export interface KafkaClients {
  /** The client's module. */
  readonly kafka: Client;
  /** Options of further clients. */
  readonly options: BaseOptions;
  readonly admin: Admin;
  readonly producer: Producer<string, string, string, string>;
}

/** Options that say where the brokers are and who we are. Files are read anew each time, since certificates are replaced. */
export type OptionsOfKafka = () => Pick<BaseOptions, "clientId" | "bootstrapBrokers" | "tls" | "sasl">;

export class KafkaConnection {
  readonly #options: OptionsOfKafka;
  readonly #meanwhile: string;
  readonly #onProblem: (problem: Problem) => void;
  /** Topics that cannot be read although the brokers answer. */
  readonly #unread = new Map<string, Problem>();
  readonly #listeners = new Set<() => void>();
  readonly #pause = new Pause();
  readonly #done: Promise<void>;
  #made: KafkaClients | undefined;
  #attempts = 0;
  #problem: Problem = { message: "it has not been reached yet", advice: "give it some seconds" };
  #rttMs = 0;
  /** Told when the node begins to stop. */
  readonly #waits = new Set<() => void>();
  #isLeaving = false;
  #closed = false;

  /** `onProblem` is told each new reason why the brokers cannot be used; `meanwhile` says what that means. */
  constructor(options: OptionsOfKafka, meanwhile: string, onProblem: (problem: Problem) => void = () => {}) {
    this.#options = options;
    this.#meanwhile = meanwhile;
    this.#onProblem = onProblem;
    this.#done = this.#run();
  }

  /** Undefined while the brokers do not answer. */
  get clients(): KafkaClients | undefined {
    return this.#made;
  }

  /** Calls back when the brokers come or go. Returns its undo. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** How it stands now, for operators. */
  state(): DependencyState {
    const { message: problem, advice } = this.#problem;
    if (!this.#made) return { status: "FAIL", message: `Kafka is away, and ${this.#meanwhile}: ${problem}`, advice };
    const rttMs = this.#rttMs;
    const message = `connected, ${rttMs} ms there and back`;
    const [unread] = this.#unread;
    if (!unread) return { status: "ok", message, figures: { rttMs } };
    const [topic, why] = unread;
    return {
      status: "warn",
      message: `${message}; ${topic} cannot be read, and consumers read the log: ${why.message}`,
      advice: why.advice,
      figures: { rttMs },
    };
  }

  /** Says for operators whether a topic can be read: the error of an attempt, or undefined. */
  reads(topic: string, error?: unknown): void {
    if (error === undefined) this.#unread.delete(topic);
    else this.#unread.set(topic, problemOf(error));
  }

  /** The node begins to stop. */
  leave(): void {
    this.#isLeaving = true;
    for (const tell of this.#waits) tell();
  }

  /** The outcome of a request. Rejects when the node stops meanwhile and the brokers are silent: they may be away for long. */
  beforeLeaving<T>(request: Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    let timer: NodeJS.Timeout | undefined;
    const hurry = (): void => {
      timer ??= setTimeout(() => reject(new Error("the node stops, and Kafka does not answer")), limits.leaveMs);
    };
    if (this.#isLeaving) hurry();
    else this.#waits.add(hurry);
    request.then(resolve, reject);
    return promise.finally(() => {
      this.#waits.delete(hurry);
      clearTimeout(timer);
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#pause.end();
    if (this.#made) await closeClients(this.#made);
    await settledWithin([this.#done], limits.leaveMs);
  }

  async #run(): Promise<void> {
    while (!this.#closed)
      try {
        await this.#watch(await kafkaClients(this.#options(), this.#attempts++));
      } catch (error) {
        this.#note(error);
        await this.#wait(limits.askAgainMs);
      }
  }

  /** Asks again and again, until there is no answer. */
  async #watch(clients: KafkaClients): Promise<void> {
    this.#change(clients);
    try {
      while (!this.#closed) {
        this.#rttMs = await ask(clients.admin);
        await this.#wait(limits.askMs);
      }
    } finally {
      this.#change(undefined);
      await closeClients(clients);
    }
  }

  #note(error: unknown): void {
    const problem = problemOf(error);
    if (problem.message !== this.#problem.message) this.#onProblem(problem);
    this.#problem = problem;
  }

  #change(clients: KafkaClients | undefined): void {
    this.#made = clients;
    for (const listener of this.#listeners) listener();
  }

  async #wait(ms: number): Promise<void> {
    if (!this.#closed) await this.#pause.wait(ms);
  }
}

/**
 * The clients of brokers that answer. `attempt` chooses the first of the brokers that is asked: one that takes connections and
 * says nothing must not be the first each time. Rejects with the client's error.
 */
export async function kafkaClients(given: ReturnType<OptionsOfKafka>, attempt = 0): Promise<KafkaClients> {
  const kafka = await clientModule();
  const { bootstrapBrokers, ...own } = given;
  const first = attempt % bootstrapBrokers.length;
  const options: BaseOptions = {
    ...own,
    bootstrapBrokers: [...bootstrapBrokers.slice(first), ...bootstrapBrokers.slice(0, first)] as string[],
    connectTimeout: limits.connectMs,
    timeout: limits.requestMs,
    requestTimeout: limits.requestMs,
    retries: 0,
  };
  const admin = new kafka.Admin(options);
  try {
    await ask(admin);
  } catch (error) {
    await admin.close().catch(() => {});
    throw error;
  }
  const producer = new kafka.Producer({
    ...options,
    retries: limits.retries,
    retryDelay: limits.retryMs,
    idempotent: true,
    serializers: kafka.stringSerializers,
  });
  return { kafka, options, admin, producer };
}

export async function closeClients({ admin, producer }: KafkaClients): Promise<void> {
  await Promise.all([admin.close(), producer.close(true)].map(closed => closed.catch(() => {})));
}

/** Whether an answer of the brokers in an error's chain has one of these names. */
export const is = ({ findErrorBy }: Client, error: unknown, ...names: string[]): boolean =>
  names.some(name => findErrorBy(error as Error, "apiId", name) !== null);

/** Milliseconds until the brokers have answered. */
async function ask(admin: Admin): Promise<number> {
  const began = performance.now();
  await admin.metadata({ topics: [], forceUpdate: true });
  return Math.round(performance.now() - began);
}

/** The reason of an error of the client, in words. */
export const causeOf = (error: unknown): string => problemOf(error).message;

let loaded: Promise<Client> | undefined;

/**
 * The client. Its connections emit `error` again when brokers refuse them after the TLS handshake, as they do with a certificate
 * that has expired; nobody of the client listens by then, and the process would end.
 */
function clientModule(): Promise<Client> {
  if (!loaded) {
    subscribe("plt:kafka:instances", made => {
      const { type, instance } = made as { type: string; instance: Connection };
      if (type === "connection") instance.on("error", () => {});
    });
    loaded = import("@platformatic/kafka");
  }
  return loaded;
}

const connections = new WeakMap<ServiceBroker, KafkaConnection>();

/** The broker's connection, closed with it. */
export function kafkaOf(broker: ServiceBroker): KafkaConnection {
  const known = connections.get(broker);
  if (known) return known;
  const meanwhile = meanwhileWithout("kafka", broker);
  const connection = new KafkaConnection(
    () => kafkaOptions(broker, broker.nodeID),
    meanwhile,
    ({ message, advice }) => broker.logger.warn(`Kafka is away, and ${meanwhile}: ${message} → ${advice}`),
  );
  connections.set(broker, connection);
  dependsOn(broker, { kind: "carrier", name: "Kafka", ask: async () => connection.state() });
  for (const file of kafkaCertificates(broker))
    dependsOn(broker, {
      kind: "certificate",
      name: file.variable,
      ask: async () => certificateState(file, Date.now()),
    });
  metersOf(broker)?.read("carrier", () => [reading(streamMetrics.carrierConnected, connection.clients ? 1 : 0)]);
  stopsFirst({ fullName: "kafka", broker }, async () => connection.leave());
  closeWithBroker(broker, () => connection.close());
  return connection;
}

type Settings = ServiceBroker | Environment;

/** The certificates that the variables of Kafka name. */
export function kafkaCertificates(settings: Settings): CertificateFile[] {
  const { KAFKA_CA, KAFKA_CERT } = kafkaEnvironment.of(settings);
  return [
    ...(KAFKA_CA === undefined ? [] : [{ variable: "KAFKA_CA", path: KAFKA_CA, holds: "authorities" as const }]),
    ...(KAFKA_CERT === undefined ? [] : [{ variable: "KAFKA_CERT", path: KAFKA_CERT, holds: "own" as const }]),
  ];
}

/** `clientId`: the name that the brokers know this process by. */
export function kafkaOptions(settings: Settings, clientId: string): ReturnType<OptionsOfKafka> {
  // By name, each: what is secret is not listed, and the rest of a list has none of it.
  const environment = kafkaEnvironment.of(settings);
  const { KAFKA_BROKERS, KAFKA_TLS, KAFKA_CA, KAFKA_CERT, KAFKA_KEY } = environment;
  const { KAFKA_SASL: mechanism, KAFKA_USER: username, KAFKA_PASSWORD: password } = environment;
  const tls = {
    ...(KAFKA_CA !== undefined && { ca: readFileSync(KAFKA_CA) }),
    ...(KAFKA_CERT !== undefined && { cert: readFileSync(KAFKA_CERT) }),
    ...(KAFKA_KEY !== undefined && { key: readFileSync(KAFKA_KEY) }),
  };
  return {
    clientId,
    bootstrapBrokers: [...KAFKA_BROKERS!],
    // A server's name is a name: addresses have none.
    ...(KAFKA_TLS && { tls, tlsServerName: !KAFKA_BROKERS!.some(broker => isIP(broker.split(":")[0]!) > 0) }),
    ...(mechanism !== undefined && { sasl: { mechanism, username: username!, password: password! } }),
  };
}
