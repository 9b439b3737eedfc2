// A Varnish for tests: on a free port, in a temporary folder, removed afterwards.
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../until.ts";
import { endProcess } from "./child.ts";
import { freePort, listens } from "./ports.ts";
import { program } from "./programs.ts";

const VARNISH = { name: "varnishd", package: "varnish", with: ["varnish-modules"] };

export interface VarnishOptions {
  /** Path of the configuration, which includes `origin.vcl`. */
  readonly config: string;
  /** Text of `origin.vcl`. */
  readonly origin: string;
  /** Changes the text of the configuration: a test does not wait for half a minute. */
  readonly edit?: (text: string) => string;
  /** Variables, which the configuration reads by `std.getenv`. */
  readonly env?: Readonly<Record<string, string>>;
}

export class Varnish {
  readonly url: string;
  readonly #folder: string;
  readonly #process: ChildProcess;

  private constructor(folder: string, port: number, started: ChildProcess) {
    this.#folder = folder;
    this.#process = started;
    this.url = `http://127.0.0.1:${port}`;
  }

  /** Resolves when it takes connections; rejects with what it says when the configuration is wrong. */
  static async start({ config, origin, edit = text => text, env = {} }: VarnishOptions): Promise<Varnish> {
    const [folder, port] = [mkdtempSync(join(tmpdir(), "varnish-")), await freePort()];
    writeFileSync(join(folder, "origin.vcl"), origin);
    writeFileSync(join(folder, "main.vcl"), edit(readFileSync(config, "utf8")));
    const settings = { vcl_path: folder, thread_pool_min: "5", thread_pools: "1", thread_pool_max: "200" };
    // No jail, which takes a user of its own: tests may run as anybody.
    const options = { j: "none", n: join(folder, "work"), a: `127.0.0.1:${port}`, f: join(folder, "main.vcl") };
    const sizes = { s: "malloc,32m", l: "8m" };
    const args = [
      "-F",
      ...Object.entries({ ...options, ...sizes }).flatMap(([name, value]) => [`-${name}`, value]),
      ...Object.entries(settings).flatMap(([name, value]) => ["-p", `${name}=${value}`]),
    ];
    const child = spawn(program(VARNISH), args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
    const varnish = new Varnish(folder, port, child);
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", chunk => void (output += chunk));
    await until("Varnish takes connections", () => {
      if (child.exitCode !== null) throw new Error(`Varnish did not start:\n${output}`);
      return listens(port);
    });
    return varnish;
  }

  /** Stops it and removes what it wrote. */
  async stop(): Promise<void> {
    // It ends its worker itself; killed, it would leave that to run.
    await endProcess(this.#process, "SIGTERM");
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
