// The servers that tests run against: found on this machine, or installed by apt where that is possible.
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readdirSync, realpathSync } from "node:fs";
import { delimiter, join } from "node:path";

/** A program that comes with a Debian package. */
export interface Program {
  readonly name: string;
  readonly package: string;
}

/** Debian keeps Postgres' programs beside the PATH, by version. */
const POSTGRES_ROOT = "/usr/lib/postgresql";

const versions = (): string[] =>
  existsSync(POSTGRES_ROOT) ? readdirSync(POSTGRES_ROOT).sort((a, b) => Number(b) - Number(a)) : [];

/** Path of the program, or undefined. */
function find(name: string): string | undefined {
  const folders = [
    ...(process.env["PATH"] ?? "").split(delimiter),
    "/usr/sbin",
    ...versions().map(version => join(POSTGRES_ROOT, version, "bin")),
  ];
  const found = folders.map(folder => join(folder, name)).find(isExecutable);
  // The package's other programs lie beside the target of a link.
  return found && realpathSync(found);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Path of the program; installs its package first if it is missing. Only root on Debian can install; otherwise it
 * throws, and the message says what to do.
 */
export function program({ name, package: debian }: Program): string {
  const found = find(name);
  if (found !== undefined) return found;
  if (process.getuid?.() !== 0 || find("apt-get") === undefined)
    throw new Error(
      `${name} is not installed. Install it (Debian: apt-get install ${debian}), or start the servers with ` +
        "`docker compose up -d` and set what compose.yaml says.",
    );
  apt("update");
  // Without a cluster of its own: the tests start their own servers.
  apt("install", "--yes", "--no-install-recommends", debian);
  const installed = find(name);
  if (installed === undefined) throw new Error(`the package ${debian} was installed, but has no ${name}`);
  return installed;
}

function apt(...args: string[]): void {
  const { status, stdout, stderr } = spawnSync("apt-get", ["-qq", ...args], {
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    encoding: "utf8",
    timeout: 300_000,
  });
  if (status !== 0) throw new Error(`apt-get ${args.join(" ")} failed:\n${stdout}${stderr}`);
}
