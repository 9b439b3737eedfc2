// PgBouncer in transaction mode, before a Postgres server: a client's session is not one session of the server.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chownSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../until.ts";
import { freePort } from "./ports.ts";
import { owner, takesConnections } from "./postgres.ts";
import { program } from "./programs.ts";

export class PgBouncer {
  readonly #folder: string;
  readonly #port: number;
  readonly #process: ChildProcess;

  private constructor(folder: string, port: number, process: ChildProcess) {
    this.#folder = folder;
    this.#port = port;
    this.#process = process;
  }

  /**
   * Before the server at `url`, for these users, with so many connections to the server for each user and database.
   * `more`: settings besides ours, as in pgbouncer.ini.
   */
  static async start(
    url: string,
    users: readonly string[],
    connections: number,
    more: Readonly<Record<string, string>> = {},
  ): Promise<PgBouncer> {
    const folder = mkdtempSync(join(tmpdir(), "pgbouncer-"));
    const port = await freePort();
    const { hostname, port: serverPort } = new URL(url);
    const settings = {
      listen_addr: "127.0.0.1",
      listen_port: port,
      unix_socket_dir: "",
      auth_type: "trust",
      auth_file: join(folder, "users.txt"),
      pool_mode: "transaction",
      default_pool_size: connections,
      max_client_conn: 500,
      ...more,
    };
    writeFileSync(join(folder, "users.txt"), users.map(user => `"${user}" ""\n`).join(""));
    writeFileSync(
      join(folder, "pgbouncer.ini"),
      `[databases]\n* = host=${hostname} port=${serverPort}\n[pgbouncer]\n` +
        Object.entries(settings)
          .map(([name, value]) => `${name} = ${value}\n`)
          .join(""),
    );
    const { uid, gid } = owner();
    if (uid !== undefined)
      for (const file of ["", "users.txt", "pgbouncer.ini"]) chownSync(join(folder, file), uid, gid!);
    const path = program({ name: "pgbouncer", package: "pgbouncer" });
    const process = spawn(path, [join(folder, "pgbouncer.ini")], { ...owner(), cwd: folder, stdio: "ignore" });
    const bouncer = new PgBouncer(folder, port, process);
    await until("PgBouncer takes connections", () => {
      if (process.exitCode !== null) throw new Error("PgBouncer did not start");
      return takesConnections(bouncer.url(url, users[0]!));
    });
    return bouncer;
  }

  /** The same database through the pooler, as this user. */
  url(of: string, user: string): string {
    const url = new URL(of);
    url.hostname = "127.0.0.1";
    url.port = String(this.#port);
    url.username = user;
    url.searchParams.set("pgbouncer", "true");
    return url.href;
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode === null) {
      const exit = once(this.#process, "exit");
      this.#process.kill("SIGTERM");
      await exit;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
