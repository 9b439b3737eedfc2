// The servers that tests run against: found on this machine, or installed by apt where that is possible.
import { spawnSync } from "node:child_process";
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
} from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { delimiter, dirname, join } from "node:path";

/** A program that comes with a Debian package. */
export interface Program {
  readonly name: string;
  readonly package: string;
  /** Packages beside it, of which the program loads files. */
  readonly with?: readonly string[];
  /**
   * The package is unpacked into a folder of this user instead of installed, which needs no root: for a program that
   * needs no other file, of a package that would start a server of the whole machine and bring eleven others along.
   */
  readonly unpacked?: boolean;
}

/** Debian keeps Postgres' programs beside the PATH, by version. */
const POSTGRES_ROOT = "/usr/lib/postgresql";

const versions = (): string[] =>
  existsSync(POSTGRES_ROOT) ? readdirSync(POSTGRES_ROOT).sort((a, b) => Number(b) - Number(a)) : [];

/** The unpacked packages. */
const folderOf = (debian: string): string => join(tmpdir(), `valence-programs-${userInfo().uid}`, debian);

/** The folders of programs in an unpacked package. */
const programsIn = (folder: string): string[] => ["usr/bin", "usr/sbin"].map(bin => join(folder, bin));

const APT_LOCK = join(tmpdir(), `valence-apt-${userInfo().uid}.lock`);
/** Seconds that apt waits for programs of others which install something. */
const WAIT_S = 240;

/** Path of the program, or undefined. `more`: folders in which it may lie, besides the usual ones. */
function find(name: string, ...more: string[]): string | undefined {
  const folders = [
    ...more,
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
 * Path of the program; installs or unpacks its package first if it is missing. Only root on Debian can install; otherwise
 * it throws, and the message says what to do.
 */
export function program({ name, package: debian, with: others = [], unpacked = false }: Program): string {
  const found = find(name, ...programsIn(folderOf(debian)));
  if (found !== undefined) return found;
  if (unpacked) return unpack(name, debian);
  if (process.getuid?.() !== 0 || find("apt-get") === undefined)
    throw new Error(
      `${name} is not installed. Install it (Debian: apt-get install ${[debian, ...others].join(" ")}), or start the servers with ` +
        "`docker compose up -d` and set what compose.yaml says.",
    );
  apt(["update"]);
  // Without a cluster of its own: the tests start their own servers.
  apt(["install", "--yes", "--no-install-recommends", debian, ...others]);
  const installed = find(name);
  if (installed === undefined) throw new Error(`the package ${debian} was installed, but has no ${name}`);
  return installed;
}

function unpack(name: string, debian: string): string {
  if (find("apt-get") === undefined) throw new Error(`${name} is not installed, and there is no apt to bring it`);
  const folder = folderOf(debian);
  mkdirSync(dirname(folder), { recursive: true, mode: 0o700 });
  // Another process may do the same at this moment: whoever is first moves a whole folder to its place.
  const own = mkdtempSync(`${folder}-`);
  try {
    if (process.getuid?.() === 0) apt(["update"]);
    apt(["download", debian], own);
    const [archive] = readdirSync(own);
    run("dpkg-deb", ["--extract", archive!, "files"], own);
    renameSync(join(own, "files"), folder);
  } catch (error) {
    if (!existsSync(folder)) throw error;
  } finally {
    rmSync(own, { recursive: true });
  }
  const unpacked = find(name, ...programsIn(folder));
  if (unpacked === undefined) throw new Error(`the package ${debian} was unpacked, but has no ${name}`);
  return unpacked;
}

/** One at a time: test files install what they miss at the same moment, and two `update` refuse each other. */
const apt = (args: readonly string[], folder?: string): void =>
  run("flock", [APT_LOCK, "apt-get", "-qq", "-o", `DPkg::Lock::Timeout=${WAIT_S}`, ...args], folder);

function run(command: string, args: readonly string[], folder?: string): void {
  const { status, stdout, stderr } = spawnSync(command, args, {
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    encoding: "utf8",
    timeout: 300_000,
    ...(folder !== undefined && { cwd: folder }),
  });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} failed:\n${stdout}${stderr}`);
}
