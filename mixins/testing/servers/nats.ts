// A NATS server for tests: on a free port, removed afterwards. It can be stopped and started again, empty.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../until.ts";
import { freePort, listens } from "./ports.ts";
import { program } from "./programs.ts";

const NATS = { name: "nats-server", package: "nats-server" };

export class Nats {
  readonly port: number;
  readonly #folder: string;
  #process!: ChildProcess;

  private constructor(folder: string, port: number) {
    this.#folder = folder;
    this.port = port;
  }

  /** `settings`: as in the server's configuration file. */
  static async start(settings = ""): Promise<Nats> {
    const server = new Nats(mkdtempSync(join(tmpdir(), "nats-")), await freePort());
    writeFileSync(server.#config, settings);
    await server.start();
    return server;
  }

  get #config(): string {
    return join(this.#folder, "nats.conf");
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  /** Starts it, after a halt too: with what JetStream had stored, unless `empty`. Resolves when it takes connections. */
  async start({ empty = false } = {}): Promise<void> {
    const store = join(this.#folder, "jetstream");
    if (empty) rmSync(store, { recursive: true, force: true });
    const args = [
      "--config",
      this.#config,
      "--addr",
      "127.0.0.1",
      "--port",
      `${this.port}`,
      "--jetstream",
      "--store_dir",
      store,
    ];
    this.#process = spawn(program(NATS), args, { cwd: this.#folder, stdio: "ignore" });
    await until("NATS takes connections", () => {
      if (this.#process.exitCode !== null) throw new Error("the NATS server did not start");
      return listens(this.port);
    });
  }

  /** Lets the running server read other settings. Resolves when the signal is sent: wait for the effect. */
  reconfigure(settings: string): void {
    writeFileSync(this.#config, settings);
    this.#process.kill("SIGHUP");
  }

  /** Stops the server as a crash does. */
  async halt(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exit = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await exit;
  }

  /** Stops it and removes what it wrote. */
  async stop(): Promise<void> {
    await this.halt();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
