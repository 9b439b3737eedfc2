// A Postgres server for tests: on a free port, in a temporary folder, durable as in production unless an option says
// otherwise, removed afterwards.
import { execFile, spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chownSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { until } from "../until.ts";
import { fastFolder } from "./memory.ts";
import { freePort } from "./ports.ts";
import { program } from "./programs.ts";

const run = promisify(execFile);
/** The WAL stays short, since it may lie in memory. */
const DISPOSABLE = { fsync: "off", max_wal_size: "256MB" };
const POSTGRES = { name: "postgres", package: "postgresql" };

export interface PostgresOptions {
  /** Settings besides ours, as in postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Makes the data folder in place of initdb: a standby copies its primary's. */
  readonly initialize?: (dataDir: string, asOwner: Owner) => Promise<unknown>;
  /** It need not outlive a crash of the machine: it does not wait for the disk, and uses memory in its place if it can. */
  readonly isDisposable?: boolean;
}
/** Runs one of Postgres' programs as the user that may run it. */
export type Owner = (name: string, ...args: string[]) => Promise<unknown>;

let databases = 0;

export class Postgres {
  readonly port: number;
  readonly #folder: string;
  readonly #settings: Readonly<Record<string, string>>;
  #process!: ChildProcess;
  #log = "";

  private constructor(folder: string, port: number, settings: Readonly<Record<string, string>>) {
    this.#folder = folder;
    this.port = port;
    this.#settings = settings;
  }

  static async start({
    settings = {},
    initialize = initdb,
    isDisposable = false,
  }: PostgresOptions = {}): Promise<Postgres> {
    const folder = mkdtempSync(join(isDisposable ? fastFolder() : tmpdir(), "postgres-"));
    const { uid, gid } = owner();
    if (uid !== undefined) chownSync(folder, uid, gid!);
    const server = new Postgres(folder, await freePort(), { ...(isDisposable && DISPOSABLE), ...settings });
    await initialize(server.#dataDir, asOwner);
    await server.start();
    return server;
  }

  /** A standby of this server by streaming replication, with the same settings: its limits must not be lower. */
  startStandby(): Promise<Postgres> {
    const from = ["-h", "127.0.0.1", "-p", `${this.port}`, "-U", "postgres"];
    return Postgres.start({
      settings: this.#settings,
      initialize: (dataDir, asOwner) =>
        asOwner("pg_basebackup", ...from, "-D", dataDir, "-R", "-X", "stream", "-c", "fast"),
    });
  }

  get #dataDir(): string {
    return join(this.#folder, "data");
  }

  /** URL of the superuser, without a password. */
  url(database = "postgres"): string {
    return `postgres://postgres@127.0.0.1:${this.port}/${database}`;
  }

  /** Starts it, after a stop too. Resolves when it takes connections. */
  async start(): Promise<void> {
    const settings = {
      listen_addresses: "127.0.0.1",
      unix_socket_directories: this.#folder,
      max_connections: "300",
      shared_buffers: "256MB",
      ...this.#settings,
    };
    const args = Object.entries({ ...settings, port: `${this.port}` }).flatMap(([k, v]) => ["-c", `${k}=${v}`]);
    this.#process = spawn(program(POSTGRES), ["-D", this.#dataDir, ...args], {
      ...owner(),
      cwd: this.#folder,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const keep = (chunk: Buffer): void => void (this.#log = (this.#log + chunk.toString()).slice(-20_000));
    this.#process.stdout!.on("data", keep);
    this.#process.stderr!.on("data", keep);
    await until("Postgres takes connections", async () => {
      if (this.#process.exitCode !== null) throw new Error(`Postgres did not start:\n${this.#log}`);
      return takesConnections(this.url());
    });
  }

  /** SIGINT disconnects everyone and stops; SIGQUIT stops as a crash does. */
  async halt(signal: "SIGINT" | "SIGQUIT"): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exit = once(this.#process, "exit");
    this.#process.kill(signal);
    await exit;
  }

  /** Ends it without waiting, for a process that ends itself. */
  abandon(): void {
    this.#process.kill("SIGQUIT");
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Stops it and removes what it wrote. */
  async stop(): Promise<void> {
    await this.halt("SIGQUIT");
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

export async function takesConnections(url: string): Promise<boolean> {
  const client = new pg.Client(url);
  client.on("error", () => {});
  return client.connect().then(
    () => client.end().then(() => true),
    () => false,
  );
}

/** A new, empty database on the server at `url`; answers its URL and what drops it. */
export async function newDatabase(url: string): Promise<{ url: string; drop(): Promise<void> }> {
  const name = `test_${process.pid}_${++databases}_${Date.now().toString(36)}`;
  const copies = copying.get(url) ?? (await copiesFiles(url));
  copying.set(url, copies);
  await query(url, `create database ${name}${copies ? " strategy file_copy" : ""}`);
  const own = new URL(url);
  own.pathname = `/${name}`;
  return { url: own.href, drop: async () => void (await query(url, `drop database if exists ${name} with (force)`)) };
}

/** What `copiesFiles` has found out, by URL. */
const copying = new Map<string, boolean>();

/**
 * A server that does not wait for the disk copies the files of a new database in less than half the time that it takes to
 * write them by its log; another would wait for a checkpoint. Before version 15 they are always copied.
 */
async function copiesFiles(url: string): Promise<boolean> {
  const [{ copies }] = await query(
    url,
    "select current_setting('fsync') = 'off' and current_setting('server_version_num')::int >= 150000 as copies",
  );
  return copies;
}

/** One statement on a connection of its own. */
export async function query<R extends pg.QueryResultRow = any>(
  url: string,
  sql: string,
  values?: unknown[],
): Promise<R[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query<R>(sql, values)).rows;
  } finally {
    await client.end();
  }
}

const initdb = (dataDir: string, asOwner: Owner): Promise<unknown> =>
  asOwner("initdb", "-D", dataDir, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync");

const asOwner: Owner = (name, ...args) => run(join(dirname(program(POSTGRES)), name), args, { ...owner(), cwd: "/" });

/**
 * Neither Postgres nor its pooler runs as root: when the tests run as root, they start both as the user that Postgres'
 * package made.
 */
export function owner(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  program(POSTGRES);
  const id = (flag: string) => Number(spawnSync("id", [flag, "postgres"], { encoding: "utf8" }).stdout);
  return { uid: id("-u"), gid: id("-g") };
}
