// Postgres as the operator runs it: a primary and a standby by streaming replication, each a pod, over TLS and with passwords, with
// the parameters of the manifest.
import { execFile, execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { until } from "@valence/runtime/testing";
import { program, query } from "@valence/runtime/testing/servers";
import type { Manifest } from "../manifests.ts";
import { ofKind, secretOf } from "../workloads.ts";

const run = promisify(execFile);
/** It waits for no disk, as other servers of tests, and takes no more memory than there is here. */
const HERE = { fsync: "off", shared_buffers: "128MB" };

export interface Instance {
  readonly network: string;
  readonly address: string;
}

export class PostgresPods {
  readonly #folder = mkdtempSync(join(tmpdir(), "valence-postgres-"));
  readonly #cluster: any;
  readonly #password: string;
  readonly #processes: ChildProcess[] = [];
  #log = "";

  constructor(manifests: readonly Manifest[]) {
    [{ spec: this.#cluster }] = ofKind(manifests, "Cluster") as [any];
    this.#password = secretOf(manifests, this.#cluster.bootstrap.initdb.secret.name)!["password"]!;
  }

  /** `tls`: the files of the servers' certificate. `names`: where the primary is found. */
  async start([primary, standby]: readonly [Instance, Instance], tls: Readonly<Record<string, string>>): Promise<void> {
    this.#own(this.#folder);
    const [first, second] = [join(this.#folder, "1"), join(this.#folder, "2")];
    await this.#as(
      "initdb",
      "-D",
      first,
      "-U",
      "postgres",
      "-A",
      "trust",
      "-E",
      "UTF8",
      "--locale=C.UTF-8",
      "--no-sync",
    );
    writeFileSync(join(first, "pg_hba.conf"), HBA);
    for (const [file, text] of Object.entries(tls)) {
      const path = join(this.#folder, file);
      writeFileSync(path, text, { mode: 0o600 });
      this.#own(path);
    }
    await this.#run(first, primary);
    const { database, owner } = this.#cluster.bootstrap.initdb;
    await query(this.url(), `create role ${owner} login createrole password '${this.#password}'`);
    await query(this.url(), `create database ${database} owner ${owner}`);
    await this.#as(
      "pg_basebackup",
      "-h",
      this.#socket(first),
      "-U",
      "postgres",
      "-D",
      second,
      "-X",
      "stream",
      "-c",
      "fast",
    );
    const from = `host=${primary.address} port=5432 user=postgres password=${this.#password} sslmode=require application_name=standby`;
    appendFileSync(join(second, "postgresql.auto.conf"), `primary_conninfo = '${from}'\n`);
    writeFileSync(join(second, "standby.signal"), "");
    this.#own(join(second, "standby.signal"));
    await query(this.url(), `alter role postgres password '${this.#password}'`);
    await this.#run(second, standby);
    const follows = async (): Promise<boolean> =>
      (await query(this.url(), "select 1 from pg_stat_replication where state = 'streaming'")).length > 0;
    await until("the standby follows", follows).catch((error: Error) => {
      throw new Error(`${error.message}\n${this.#log}`);
    });
    // A commit waits for one of the standbys.
    await query(this.url(), "alter system set synchronous_standby_names = 'any 1 (standby)'");
    await query(this.url(), "select pg_reload_conf()");
  }

  /** Of the superuser at the primary, by its socket on this machine. */
  url(database = "postgres"): string {
    return urlAt(this.#socket(join(this.#folder, "1")), database);
  }

  #socket = (data: string): string => `${data}-socket`;

  async #run(data: string, { network, address }: Instance): Promise<void> {
    const socket = this.#socket(data);
    mkdirSync(socket);
    this.#own(socket);
    const settings: Record<string, string> = {
      ...this.#cluster.postgresql.parameters,
      ...HERE,
      listen_addresses: address,
      unix_socket_directories: socket,
      ssl: "on",
      ssl_cert_file: join(this.#folder, "tls.crt"),
      ssl_key_file: join(this.#folder, "tls.key"),
    };
    const args = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    const postgres = program({ name: "postgres", package: "postgresql" });
    const command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", postgres, "-D", data, ...args];
    const child = spawn("nsenter", [`--net=/run/netns/${network}`, ...command], {
      stdio: ["ignore", "pipe", "pipe"],
      // Without a home: the standby is a client too, and would look for a certificate there.
      env: { PATH: process.env["PATH"]!, HOME: "/nonexistent" },
    });
    this.#processes.push(child);
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => void (this.#log = (this.#log + chunk.toString()).slice(-20_000)));
    await until("Postgres takes connections", async () => {
      if (child.exitCode !== null) throw new Error(`Postgres did not start:\n${this.#log}`);
      return query(urlAt(socket, "postgres"), "select 1").then(
        () => true,
        () => false,
      );
    });
  }

  #own(path: string): void {
    const { uid, gid } = this.#owner;
    chownSync(path, uid, gid);
    if (path === this.#folder) chmodSync(path, 0o755);
  }
  readonly #owner = ownerOf();

  #as(name: string, ...args: string[]): Promise<unknown> {
    const bin = dirname(program({ name: "postgres", package: "postgresql" }));
    return run(join(bin, name), args, { ...this.#owner, cwd: "/" });
  }

  async stop(): Promise<void> {
    for (const child of this.#processes) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const exit = once(child, "exit");
      child.kill("SIGQUIT");
      await exit;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

const urlAt = (socket: string, database: string): string =>
  `postgres:///${database}?host=${encodeURIComponent(socket)}&user=postgres`;

/** Everything on the network by TLS and with a password. */
const HBA = `local all all trust
hostssl all all all scram-sha-256
hostssl replication all all scram-sha-256
local replication all trust
`;

function ownerOf(): { uid: number; gid: number } {
  program({ name: "postgres", package: "postgresql" });
  const id = (flag: string): number => Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" }));
  return { uid: id("-u"), gid: id("-g") };
}
