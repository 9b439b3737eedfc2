// An nginx for tests: on a free port, in a temporary folder, removed afterwards.
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../until.ts";
import { endProcess } from "./child.ts";
import { freePort, listens } from "./ports.ts";
import { program } from "./programs.ts";

/** Unpacked, since its installation would start a server on port 80 of the machine. */
const NGINX = { name: "nginx", package: "nginx", unpacked: true };

export class Nginx {
  readonly url: string;
  readonly #folder: string;
  readonly #process: ChildProcess;

  private constructor(folder: string, port: number, started: ChildProcess) {
    this.#folder = folder;
    this.#process = started;
    this.url = `http://127.0.0.1:${port}`;
  }

  /** `config`: what stands in `http { … }`, made for this port and this folder of its own. */
  static async start(config: (at: { port: number; folder: string }) => string): Promise<Nginx> {
    const [folder, port] = [mkdtempSync(join(tmpdir(), "nginx-")), await freePort()];
    const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
      .map(kind => `${kind}_temp_path ${folder}/${kind};`)
      .join("\n");
    const http = `access_log off;\n${paths}\n${config({ port, folder })}`;
    writeFileSync(
      join(folder, "nginx.conf"),
      `daemon off;\nmaster_process off;\npid ${folder}/pid;\nevents {}\nhttp {\n${http}\n}\n`,
    );
    const args = ["-p", folder, "-c", "nginx.conf", "-e", "stderr"];
    const child = spawn(program(NGINX), args, { stdio: ["ignore", "ignore", "pipe"] });
    let output = "";
    child.stderr.on("data", chunk => void (output += chunk));
    await until("nginx takes connections", () => {
      if (child.exitCode !== null) throw new Error(`nginx did not start:\n${output}`);
      return listens(port);
    });
    return new Nginx(folder, port, child);
  }

  /** Stops it and removes what it wrote. */
  async stop(): Promise<void> {
    await endProcess(this.#process, "SIGKILL");
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
