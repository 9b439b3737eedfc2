// A Redis server for tests: on a free port, in a temporary folder, removed afterwards.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { RedisConnection } from "../../redis/index.ts";
import { until } from "../until.ts";
import { freePort } from "./ports.ts";
import { program } from "./programs.ts";

export class RedisServer {
  readonly url: string;
  readonly #folder: string;
  readonly #port: number;
  readonly #settings: Readonly<Record<string, string>>;
  #process: ChildProcess | undefined;

  private constructor(folder: string, port: number, settings: Readonly<Record<string, string>>) {
    this.#folder = folder;
    this.#port = port;
    this.#settings = settings;
    this.url = `redis://127.0.0.1:${port}`;
  }

  /** `settings`: besides ours, as in redis.conf. */
  static async start(settings: Readonly<Record<string, string>> = {}): Promise<RedisServer> {
    const server = await RedisServer.absent(settings);
    await server.start();
    return server;
  }

  /** A server that has not started yet: its URL refuses connections. */
  static async absent(settings: Readonly<Record<string, string>> = {}): Promise<RedisServer> {
    return new RedisServer(mkdtempSync(join(tmpdir(), "redis-")), await freePort(), settings);
  }

  /** Starts it, after a halt too; then it is empty, since it writes nothing down. Resolves when it takes connections. */
  async start(): Promise<void> {
    const settings = { port: `${this.#port}`, bind: "127.0.0.1", dir: this.#folder, save: "", appendonly: "no" };
    const args = Object.entries({ ...settings, ...this.#settings }).flatMap(([name, value]) => [`--${name}`, value]);
    // Called by name: on Debian the program is a link to redis-check-rdb, which decides by the name it is called by.
    const argv0 = "redis-server";
    const child = spawn(program({ name: argv0, package: argv0 }), args, { argv0, stdio: "ignore" });
    this.#process = child;
    await until("Redis takes connections", () => {
      if (child.exitCode !== null) throw new Error("Redis did not start");
      return this.#answers();
    });
  }

  /** As a crash: connections are reset, and new ones are refused. */
  async halt(): Promise<void> {
    const child = this.#process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, "exit");
    child.kill("SIGKILL");
    await exit;
  }

  /** Connections are still accepted, but get no answer. */
  pause(): void {
    this.#process?.kill("SIGSTOP");
  }
  resume(): void {
    this.#process?.kill("SIGCONT");
  }

  /** Stops it and removes what it wrote. */
  async stop(): Promise<void> {
    await this.halt();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #answers(): Promise<boolean> {
    const options = { lazyConnect: true, enableReadyCheck: false, disconnectTimeout: 50 };
    const client = new Redis(this.url, { ...options, retryStrategy: () => null });
    client.on("error", () => {});
    try {
      await client.connect();
      return (await client.ping()) === "PONG";
    } catch (error) {
      return (error as Error).message.startsWith("NOAUTH");
    } finally {
      client.disconnect();
    }
  }
}

/** A server, and the runtime's connection to it. */
export async function connectedRedis(): Promise<{
  server: RedisServer;
  connection: RedisConnection;
  stop: () => Promise<void>;
}> {
  const server = await RedisServer.start();
  const connection = new RedisConnection(server.url, "", { info: () => {}, warn: () => {} });
  await connection.tried;
  return {
    server,
    connection,
    async stop() {
      await connection.close();
      await server.stop();
    },
  };
}
