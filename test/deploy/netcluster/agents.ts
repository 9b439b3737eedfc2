// The programs in network namespaces that a test talks to.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer, type AddressInfo, type Server } from "node:net";
import { join } from "node:path";
import { ROOT } from "../manifests.ts";
import type { Place, Tasks } from "./agent.ts";

const PROGRAM = join(import.meta.dirname, "agent.ts");
type Task<N extends keyof Tasks> = Parameters<Tasks[N]>[0];
type Result<N extends keyof Tasks> = Awaited<ReturnType<Tasks[N]>>;

export class Agent {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, { resolve: (answer: any) => void; reject: (error: Error) => void }>();
  #output = "";
  #asked = 0;

  /** In the network namespace of this name. */
  constructor(network: string) {
    this.#process = spawn("nsenter", [`--net=/run/netns/${network}`, process.execPath, PROGRAM], {
      cwd: ROOT,
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      env: { PATH: process.env["PATH"]!, NODE_OPTIONS: "--disable-warning=ExperimentalWarning" },
    });
    for (const stream of [this.#process.stdout!, this.#process.stderr!])
      stream.on("data", (chunk: Buffer) => void (this.#output += chunk.toString()));
    this.#process.on("message", ({ id, answer, error }: any) => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(answer);
      else waiting?.reject(new Error(error));
    });
    this.#process.once("exit", () => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`the agent has ended:\n${this.#output}`));
      this.#waiting.clear();
    });
  }

  ask<N extends keyof Tasks>(name: N, task: Task<N>, handle?: Server): Promise<Result<N>> {
    const id = ++this.#asked;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#process.send({ id, name, task }, handle, error => error && reject(error));
    });
  }

  /** The URL of a door on this machine behind which is this place, as it is reached from the namespace. */
  async door(to: Place): Promise<{ host: string; port: number }> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    await this.ask("forward", to, server);
    // The other process has it: two would share its connections.
    server.close();
    return { host: "127.0.0.1", port };
  }

  async close(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exit = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await exit;
  }
}
