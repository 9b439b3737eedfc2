// A folder in which the tools of this package are installed, apart from the repository: our own compiler is of a version
// that some of them refuse. The descriptions of a running shop lie in it as files.
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build, readManifest } from "../../../client/packing.ts";
import { packedManifest } from "../../../mixins/packing.ts";
import { newDatabases, type Databases } from "@valence/runtime/testing/servers";
import { Shop } from "../support/shop.ts";

const ADMIN = { email: "root@example.org", password: "correct horse battery" };
/** Milliseconds of one command: an installation on a loaded machine takes minutes. */
const COMMAND_MS = 600_000;

/** Variables by which package managers reach their registries; npm's others would lead it back to this repository. */
const REACHES_REGISTRY =
  /^(HOME|JAVA_HOME|NODE_EXTRA_CA_CERTS|SSL_CERT_\w+|PIP_\w+|(https?|no)_proxy|npm_config_(registry|userconfig|globalconfig|cache|cafile|\w*proxy))$/i;
const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => REACHES_REGISTRY.test(name)));

export class Workbench {
  readonly folder: string;
  readonly shop: Shop;
  /** An access token of an administrator. */
  readonly admin: string;
  readonly #databases: Databases;

  private constructor(folder: string, shop: Shop, admin: string, databases: Databases) {
    this.folder = folder;
    this.shop = shop;
    this.admin = admin;
    this.#databases = databases;
  }

  /**
   * Starts a shop and writes its descriptions: `public.json` as strangers see it, `admin.json` with every operation,
   * `events.json` of its events.
   */
  static async open(): Promise<Workbench> {
    const folder = mkdtempSync(join(tmpdir(), "clients-"));
    const databases = await newDatabases();
    const env = { ADMIN_EMAIL: ADMIN.email, ADMIN_PASSWORD: ADMIN.password, ACCESS_LOG: "off" };
    const shop = await Shop.start({ ...databases.env, ...env });
    const admin = await shop.login(ADMIN.email, ADMIN.password);
    const bench = new Workbench(folder, shop, admin, databases);
    for (const [file, asked] of [
      ["public.json", {}],
      ["admin.json", { token: admin }],
    ] as const) {
      const { body } = await shop.request("GET", "/openapi.json", asked);
      writeFileSync(bench.path(file), JSON.stringify(body, undefined, 2));
    }
    const { body: events } = await shop.request("GET", "/asyncapi.json");
    writeFileSync(bench.path("events.json"), JSON.stringify(events, undefined, 2));
    return bench;
  }

  path(file: string): string {
    return join(this.folder, file);
  }

  /** Installs the tools from npm, in the versions of the lock file. */
  install(): void {
    for (const file of ["package.json", "package-lock.json", "redocly.yaml", "shopper.ts", "asyncapi.mjs"])
      cpSync(join(import.meta.dirname, file), this.path(file));
    this.run("npm", ["ci", "--no-audit", "--no-fund"]);
  }

  /** Our own client, as `npm pack` sends it. */
  installClient(): void {
    const folder = this.path("node_modules/@valence/client");
    build(join(folder, "dist"));
    writeFileSync(join(folder, "package.json"), JSON.stringify(packedManifest(readManifest())));
    cpSync(join(import.meta.dirname, "customer.ts"), this.path("customer.ts"));
  }

  /** Runs a command to its end, and answers its output; throws with it if the command fails. */
  run(command: string, args: readonly string[]): string {
    const { status, stdout, stderr, error } = spawnSync(command, args, {
      cwd: this.folder,
      env: {
        ...inherited,
        PATH: `${this.path("node_modules/.bin")}:${process.env["PATH"]}`,
        NODE_OPTIONS: "--disable-warning=ExperimentalWarning",
        REDOCLY_TELEMETRY: "off",
        CI: "true",
      },
      encoding: "utf8",
      timeout: COMMAND_MS,
      maxBuffer: 64 * 1024 * 1024,
    });
    if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${error?.message ?? status}\n${stdout}${stderr}`);
    return stdout + stderr;
  }

  async close(): Promise<void> {
    await this.shop.stop();
    await this.#databases.remove();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Whether a program is on this machine. */
export const has = (program: string, ...args: string[]): boolean =>
  spawnSync(program, args, { stdio: "ignore" }).status === 0;
