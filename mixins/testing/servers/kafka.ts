// Apache Kafka for tests: a cluster of one broker or three, each a controller as well, on free ports and in temporary
// folders; and its own console programs, which know nothing of our client.
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { until } from "../until.ts";
import type { Certificate } from "./authority.ts";
import { programOfKafka, fetchKafka } from "./kafka-jars.ts";
import { freePort, listens } from "./ports.ts";
import { Proxy } from "./proxy.ts";

const limits = {
  /** Milliseconds that one of Kafka's console programs may take. Each starts a Java: a second, several on a loaded machine. */
  programMs: 60_000,
  /** Milliseconds from the start of brokers until the last takes connections: 3 s, and 100 s were seen on a machine with a load of 40. */
  startMs: 300_000,
  /** Characters of a broker's output that an error tells. */
  toldOutput: 4_000,
};

/** For machines with few cores: the collector with the fewest threads, and the compiler that is done first. */
const FRUGAL = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
/** 155 MB of memory a broker. */
const BROKER = ["-Xms64m", "-Xmx192m", ...FRUGAL];
/** As Kafka's own scripts start it. */
const PRODUCTION = [
  "-Xms1g",
  "-Xmx1g",
  "-XX:+UseG1GC",
  "-XX:MaxGCPauseMillis=20",
  "-XX:InitiatingHeapOccupancyPercent=35",
];
const PROGRAM = ["-Xms32m", "-Xmx128m", ...FRUGAL];

export interface KafkaOptions {
  /** With three, topics have three replicas unless said otherwise, and two of them must have stored a message. */
  readonly brokers?: 1 | 3;
  /** A second listener of each broker, with TLS, passwords, or both: `kafka.secured`. */
  readonly secured?: {
    readonly tls?: Certificate;
    /** Users that it lets in, with one mechanism or several; at most one user with `PLAIN`. */
    readonly sasl?: KafkaUser | readonly KafkaUser[];
  };
  /** Whether clients reach the brokers by a network that `partition` cuts. */
  readonly partible?: boolean;
  /** Whether Java runs with the heap and the collector of Kafka's own scripts, for measurements. */
  readonly isAsInProduction?: boolean;
  /** Besides ours, as in server.properties. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface KafkaUser {
  readonly mechanism: "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512";
  readonly username: string;
  readonly password: string;
}

/** A message as the console programs have it. */
export interface ConsoleMessage {
  readonly key?: string;
  readonly value: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export class Kafka {
  readonly brokers: readonly KafkaBroker[];
  readonly #folder: string;
  /** By broker, where clients reach it. */
  readonly #networks: readonly Proxy[];

  private constructor(folder: string, brokers: readonly KafkaBroker[], networks: readonly Proxy[]) {
    this.#folder = folder;
    this.brokers = brokers;
    this.#networks = networks;
  }

  /** Resolves when every broker takes connections. Fetches Kafka first where that was not done. */
  static async start(options: KafkaOptions = {}): Promise<Kafka> {
    const { brokers = 1, secured, partible = false, isAsInProduction = false, settings = {} } = options;
    fetchKafka();
    const folder = mkdtempSync(join(tmpdir(), "kafka-"));
    const cluster = await Promise.all(
      Array.from({ length: brokers }, async (_, i) => ({
        id: i + 1,
        ports: [await freePort(), await freePort(), await freePort()] as const,
      })),
    );
    const voters = cluster.map(({ id, ports }) => `${id}@127.0.0.1:${ports[1]}`).join();
    const name = randomBytes(16).toString("base64url");
    const replicas = `${brokers}`;
    const common = {
      "controller.quorum.voters": voters,
      "default.replication.factor": replicas,
      "offsets.topic.replication.factor": replicas,
      "transaction.state.log.replication.factor": replicas,
      "min.insync.replicas": brokers === 1 ? "1" : "2",
      "transaction.state.log.min.isr": brokers === 1 ? "1" : "2",
      ...SMALL,
      ...(secured && securedListener(folder, secured)),
      ...settings,
    };
    const networks = await Promise.all(partible ? cluster.map(({ ports }) => Proxy.to(tcp(ports[0]))) : []);
    const kafka = new Kafka(
      folder,
      cluster.map(({ id, ports }, i) => {
        const own = networks[i] && { "advertised.listeners": `OPEN://${networks[i].address}` };
        const java = isAsInProduction ? PRODUCTION : BROKER;
        const all = { ...common, ...own };
        return new KafkaBroker(join(folder, `${id}`), name, id, ports, secured !== undefined, all, java);
      }),
      networks,
    );
    await Promise.all(kafka.brokers.map(broker => broker.start()));
    for (const user of usersOf(secured)) if (user.mechanism !== "PLAIN") await kafka.addUser(user);
    return kafka;
  }

  /** `host:port` of the brokers, with commas between, of the listener that anyone may use. */
  get servers(): string {
    return this.#addresses().join();
  }
  #addresses(): string[] {
    return this.brokers.map(({ port }, i) => this.#networks[i]?.address ?? `127.0.0.1:${port}`);
  }
  /** Likewise, of the secured listener. */
  get secured(): string {
    return this.brokers.map(({ securedPort }) => `127.0.0.1:${securedPort}`).join();
  }

  /** Adds a user with SCRAM, or gives a user another password. */
  async addUser({ mechanism, username, password }: KafkaUser): Promise<void> {
    const user = ["--entity-type", "users", "--entity-name", username];
    await this.run("org.apache.kafka.tools.ConfigCommand", [
      "--alter",
      "--add-config",
      `${mechanism}=[password=${password}]`,
      ...user,
    ]);
  }

  /**
   * Sends messages by Kafka's console producer, in order. Neither a key nor a header may have a tab or a comma; the value
   * `<null>` is none, as that of a tombstone. `args`: further ones of the program.
   */
  async produce(topic: string, messages: readonly ConsoleMessage[], args: readonly string[] = []): Promise<void> {
    const properties = ["parse.key=true", "parse.headers=true", "null.marker=<null>"];
    const lines = messages.map(({ key = "<null>", value, headers = {} }) => {
      const pairs = Object.entries(headers).map(([name, text]) => `${name}:${text}`);
      return [pairs.join() || "<null>", key, value].join("\t");
    });
    await this.run(
      "org.apache.kafka.tools.ConsoleProducer",
      ["--topic", topic, ...properties.flatMap(property => ["--reader-property", property]), ...args],
      `${lines.join("\n")}\n`,
    );
  }

  /** How many messages have been written to a topic, by Kafka's own count. */
  async count(topic: string): Promise<number> {
    const offsets = await this.run("org.apache.kafka.tools.GetOffsetShell", ["--topic", topic]);
    return [...offsets.matchAll(/:(\d+)$/gm)].reduce((sum, [, offset]) => sum + Number(offset), 0);
  }

  /**
   * The first messages of a topic by Kafka's console consumer, those of one partition in order. Without `count` all that have been
   * written to it; none of them may have been removed.
   */
  async consume(topic: string, count?: number): Promise<ConsoleMessage[]> {
    const messages = count ?? (await this.count(topic));
    if (messages === 0) return [];
    const properties = ["print.key=true", "print.headers=true", "headers.separator=\u0001", "null.literal=<null>"];
    const output = await this.run("org.apache.kafka.tools.consumer.ConsoleConsumer", [
      "--topic",
      topic,
      "--from-beginning",
      "--max-messages",
      `${messages}`,
      ...properties.flatMap(property => ["--formatter-property", property]),
    ]);
    return output.trimEnd().split("\n").map(consoleMessage);
  }

  /** The broker that is the active controller. The metadata that clients get name any broker. */
  async controller(): Promise<KafkaBroker> {
    const status = await this.run("org.apache.kafka.tools.MetadataQuorumCommand", ["describe", "--status"]);
    const [, id] = /^LeaderId:\s+(\d+)$/m.exec(status) ?? [];
    const broker = this.brokers.find(each => `${each.id}` === id);
    if (!broker) throw new Error(`no controller in:\n${status}`);
    return broker;
  }

  /**
   * Runs one of Kafka's programs on this cluster, by the name of its class; it asks brokers that run and are not frozen.
   * Resolves with its output.
   */
  async run(program: string, args: readonly string[], input = ""): Promise<string> {
    const servers = this.#addresses().filter((_, i) => this.brokers[i]!.answers);
    const child = spawn("java", [...programOfKafka(PROGRAM), program, "--bootstrap-server", servers.join(), ...args], {
      stdio: "pipe",
      timeout: limits.programMs,
      killSignal: "SIGKILL",
    });
    child.stdin.on("error", () => {}); // it has ended, which its exit code tells
    child.stdin.end(input);
    const [output, errors, [status]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
    if (status !== 0) throw new Error(`${program} ${args.join(" ")} failed:\n${output}${errors}`);
    return output;
  }

  /** From now on nothing passes between clients and `partible` brokers, and neither side is told. */
  partition(): void {
    for (const network of this.#networks) network.freeze();
  }
  /** Clients reach them again. Connections of before are reset: what was sent on them meanwhile is lost. */
  heal(): void {
    for (const network of this.#networks) {
      network.cut();
      network.heal();
    }
  }

  /** Stops all brokers and removes what they wrote. */
  async stop(): Promise<void> {
    await Promise.all(this.brokers.map(broker => broker.halt()));
    await Promise.all(this.#networks.map(network => network.close()));
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Whether Kafka carries the events of the laboratory and of clusters in this run, which otherwise go by JetStream or without a server. */
export const isOnKafka = (): boolean => process.env["TEST_CARRIER"] === "kafka";

export class KafkaBroker {
  readonly id: number;
  readonly port: number;
  readonly securedPort: number;
  readonly #folder: string;
  readonly #java: readonly string[];
  #process: ChildProcess | undefined;
  #isFrozen = false;

  constructor(
    folder: string,
    cluster: string,
    id: number,
    [open, controller, secured]: readonly [number, number, number],
    isSecured: boolean,
    settings: Readonly<Record<string, string>>,
    java: readonly string[],
  ) {
    this.id = id;
    this.#java = java;
    this.port = open;
    this.securedPort = secured;
    this.#folder = folder;
    const data = join(folder, "data");
    mkdirSync(data, { recursive: true });
    // As `kafka-storage format` writes it, which takes a Java of its own.
    const meta = {
      version: "1",
      "cluster.id": cluster,
      "node.id": `${id}`,
      "directory.id": randomBytes(16).toString("base64url"),
    };
    writeFileSync(join(data, "meta.properties"), propertiesOf(meta));
    const listeners = [
      `OPEN://127.0.0.1:${open}`,
      `CONTROLLER://127.0.0.1:${controller}`,
      ...(isSecured ? [`SECURED://127.0.0.1:${secured}`] : []),
    ];
    const own = {
      "listener.security.protocol.map": "OPEN:PLAINTEXT,CONTROLLER:PLAINTEXT",
      "node.id": `${id}`,
      listeners: listeners.join(),
      "log.dirs": data,
    };
    writeFileSync(this.#settings, propertiesOf({ ...own, ...settings }));
  }

  get #settings(): string {
    return join(this.#folder, "server.properties");
  }
  get #output(): string {
    return join(this.#folder, "output");
  }

  /** Starts it, after a halt too, with what it had stored. Resolves when it takes connections. */
  async start(): Promise<void> {
    const output = openSync(this.#output, "w");
    const child = spawn("java", [...programOfKafka(this.#java), "kafka.Kafka", this.#settings], {
      cwd: this.#folder,
      stdio: ["ignore", output, output],
    });
    closeSync(output);
    this.#process = child;
    this.#isFrozen = false;
    await until(
      `Kafka's broker ${this.id} takes connections`,
      () => {
        if (child.exitCode !== null || child.signalCode !== null)
          throw new Error(`Kafka did not start:\n${readFileSync(this.#output, "utf8").slice(-limits.toldOutput)}`);
        return listens(this.port);
      },
      limits.startMs,
    );
  }

  /** As a crash: connections are reset, and new ones are refused. */
  halt(): Promise<void> {
    return this.#end("SIGKILL");
  }
  /** As an operator does: its partitions have other leaders first. */
  stop(): Promise<void> {
    return this.#end("SIGTERM");
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, "exit");
    child.kill(signal);
    await exit;
  }

  /**
   * It can write no more, as on a full disk: no file of this process may grow. Kafka ends by itself at its next write; resolves
   * then. A start has room again.
   */
  async fillDisk(): Promise<void> {
    const child = this.#process!;
    const exit = once(child, "exit");
    execFileSync("prlimit", ["--pid", `${child.pid}`, "--fsize=0:"]);
    await exit;
  }

  /** Connections are still accepted, but get no answer, until `thaw`. */
  freeze(): void {
    this.#isFrozen = true;
    this.#process?.kill("SIGSTOP");
  }
  thaw(): void {
    this.#isFrozen = false;
    this.#process?.kill("SIGCONT");
  }

  /** Whether it runs and is not frozen. */
  get answers(): boolean {
    const { exitCode, signalCode } = this.#process ?? { exitCode: 0, signalCode: null };
    return exitCode === null && signalCode === null && !this.#isFrozen;
  }
}

/** Little memory and few threads, and a broker that is gone is noticed within seconds. */
const SMALL = {
  "process.roles": "broker,controller",
  "controller.listener.names": "CONTROLLER",
  "inter.broker.listener.name": "OPEN",
  "auto.create.topics.enable": "false",
  "group.initial.rebalance.delay.ms": "0",
  "offsets.topic.num.partitions": "1",
  "transaction.state.log.num.partitions": "1",
  "log.cleaner.dedupe.buffer.size": "4194304",
  "num.network.threads": "2",
  "num.io.threads": "2",
  "background.threads": "2",
  "broker.session.timeout.ms": "3000",
  "broker.heartbeat.interval.ms": "500",
  "replica.lag.time.max.ms": "3000",
};

type Secured = NonNullable<KafkaOptions["secured"]>;

const usersOf = ({ sasl = [] }: Secured = {}): readonly KafkaUser[] => [sasl].flat();

function securedListener(folder: string, secured: Secured): Record<string, string> {
  const { tls } = secured;
  const users = usersOf(secured);
  const protocol = `${users.length > 0 ? "SASL_" : ""}${tls ? "SSL" : "PLAINTEXT"}`;
  const settings: Record<string, string> = {
    "listener.security.protocol.map": `OPEN:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURED:${protocol}`,
  };
  if (tls) {
    const store = join(folder, "server.pem");
    writeFileSync(store, readFileSync(tls.key, "utf8") + readFileSync(tls.cert, "utf8"));
    settings["listener.name.secured.ssl.keystore.type"] = "PEM";
    settings["listener.name.secured.ssl.keystore.location"] = store;
  }
  for (const { mechanism, username, password } of users) {
    const kind = mechanism === "PLAIN" ? "plain.Plain" : "scram.Scram";
    const known = mechanism === "PLAIN" ? ` user_${username}="${password}"` : "";
    settings[`listener.name.secured.${mechanism.toLowerCase()}.sasl.jaas.config`] =
      `org.apache.kafka.common.security.${kind}LoginModule required${known};`;
  }
  if (users.length > 0) settings["sasl.enabled.mechanisms"] = users.map(({ mechanism }) => mechanism).join();
  return settings;
}

const tcp = (port: number): string => `tcp://127.0.0.1:${port}`;

const propertiesOf = (settings: Readonly<Record<string, string>>): string =>
  Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");

/** `name:text<1>name:text	key	value` */
function consoleMessage(line: string): ConsoleMessage {
  const [headers = "", key = "", ...value] = line.split("\t");
  const pairs = headers === "NO_HEADERS" ? [] : headers.split("\u0001").map(pair => pair.split(/:(.*)/s).slice(0, 2));
  return {
    ...(key !== "<null>" && { key }),
    value: value.join("\t"),
    headers: Object.fromEntries(pairs) as Record<string, string>,
  };
}
