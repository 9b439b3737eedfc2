// A container without an engine: a process that is number 1 among its own, with a root file system of its own that it cannot
// write, volumes in it, the user and groups of its pod, no capability, and its limit of memory. It has the files of this machine
// under those of its pod, and our code at /app, as the image has it.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { until } from "@valence/runtime/testing";
import { ROOT } from "../manifests.ts";

/** Characters of output that are kept, the last ones. */
const OUTPUT_MAX = 400_000;
const MEMORY = "/sys/fs/cgroup/memory";

export interface User {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
}
export interface VolumeFile {
  readonly path: string;
  readonly text: string;
  readonly mode: number;
  readonly gid: number;
}
export interface ContainerOptions {
  /** Of the pod. */
  readonly name: string;
  readonly network: string;
  readonly command: readonly string[];
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  readonly user: User;
  readonly files: readonly VolumeFile[];
  /** Folders that it may write, with those of this machine that they are; undefined: an empty one. */
  readonly writable: ReadonlyMap<string, string | undefined>;
  /** Folders of this machine that it has at these places, as they are. */
  readonly shared: ReadonlyMap<string, string>;
  readonly memoryBytes: number | undefined;
}

/**
 * Runs as process 1. The root has the files of all folders in `lowerdir`, the first ones first, and without an upper folder nothing
 * can be written. None of them may lie in another, so the pod's own files get a file system of their own.
 */
const START = `
set -e
echo "$POD" > /proc/sys/kernel/hostname
mount -t tmpfs -o mode=0755 own "$AT"
cp --archive "$OWN/." "$AT"
mount --bind "$AT" "$OWN"
umount "$AT"
mount -t overlay pod -o "lowerdir=$OWN:/" "$AT"
mount --rbind /dev "$AT/dev"
mount --rbind /sys "$AT/sys"
mount -t proc proc "$AT/proc"
mount --bind "$APP" "$AT/app"
mount -o remount,bind,ro "$AT/app"
for volume in $VOLUMES; do mount --bind "\${volume%%:*}" "$AT\${volume#*:}"; done
mount -t tmpfs -o ro tmpfs "$AT/tmp"
[ -z "$MEMORY" ] || echo 0 > "$MEMORY/cgroup.procs"
exec chroot "$AT" /usr/bin/setpriv "$@"
`;

export class Container {
  output = "";
  readonly #folder: string;
  readonly #options: ContainerOptions;
  readonly #process: ChildProcess;
  readonly #memory: string | undefined;
  readonly ended: Promise<number | null>;

  constructor(options: ContainerOptions) {
    this.#options = options;
    this.#folder = mkdtempSync(join(tmpdir(), "valence-pod-"));
    const [own, at] = [join(this.#folder, "own"), join(this.#folder, "root")];
    for (const folder of [own, at, join(own, "app"), join(own, "etc")]) mkdirSync(folder, { mode: 0o755 });
    chmodSync(this.#folder, 0o755);
    for (const { path, text, mode, gid } of options.files) {
      const file = join(own, path);
      mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
      writeFileSync(file, text, { mode });
      chmodSync(file, mode);
      chownSync(file, 0, gid);
    }
    this.#memory = memoryGroup(options.name, options.memoryBytes);
    const command = ["nsenter", `--net=/run/netns/${options.network}`];
    const unshare = ["unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child=SIGKILL"];
    const [program = "", ...args] = [
      ...command,
      ...unshare,
      "sh",
      "-c",
      START,
      "sh",
      ...rights(options.user),
      // A change of user forgets the signal that --kill-child asks for.
      "setpriv",
      "--pdeathsig=KILL",
      "env",
      "-i",
      `--chdir=${options.folder}`,
      ...Object.entries(options.env).map(([name, value]) => `${name}=${value}`),
      ...options.command,
    ];
    this.#process = spawn(program, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        PATH: PATHS,
        POD: options.name,
        OWN: own,
        AT: at,
        APP: ROOT,
        MEMORY: this.#memory ?? "",
        VOLUMES: this.#volumes(own),
      },
    });
    const keep = (chunk: Buffer): void => void (this.output = (this.output + chunk.toString()).slice(-OUTPUT_MAX));
    this.#process.stdout!.on("data", keep);
    this.#process.stderr!.on("data", keep);
    this.ended = once(this.#process, "exit").then(([code]) => {
      this.#cleanUp();
      return code as number | null;
    });
  }

  #volumes(own: string): string {
    const { user, writable, shared } = this.#options;
    const owned = [...writable].map(([path, from], i): [string, string] => {
      const source = from ?? join(this.#folder, `volume-${i}`);
      mkdirSync(source, { recursive: true, mode: 0o770 });
      chownSync(source, user.uid, user.gid);
      return [path, source];
    });
    return [...owned, ...shared]
      .map(([path, source]) => {
        mkdirSync(join(own, path), { recursive: true });
        return `${source}:${path}`;
      })
      .join(" ");
  }

  get running(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** The number of its first process on this machine. */
  get #first(): number | undefined {
    const { pid } = this.#process;
    try {
      return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ")[0]) || undefined;
    } catch {
      return undefined;
    }
  }

  signal(signal: NodeJS.Signals): void {
    const first = this.#first;
    if (first !== undefined && this.running) process.kill(first, signal);
  }

  /** Runs a command in it, as its user. Answers the exit code. */
  async exec(command: readonly string[], env: Readonly<Record<string, string>>): Promise<number> {
    const first = this.#first;
    if (first === undefined) return 255;
    const inside = ["--net", "--mount", "--pid", "--uts", "--ipc", "--root", "--wd"];
    const own = Object.entries({ ...this.#options.env, ...env }).map(([name, value]) => `${name}=${value}`);
    const all = ["setpriv", ...rights(this.#options.user), "env", "-i", ...own, ...command];
    const child = spawn("nsenter", [`--target=${first}`, ...inside, "--", ...all], { stdio: "ignore" });
    const [code] = (await once(child, "exit")) as [number | null];
    return code ?? 255;
  }

  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.ended;
  }

  #cleanUp(): void {
    rmSync(this.#folder, { recursive: true, force: true });
    if (this.#memory !== undefined && existsSync(this.#memory))
      void until("its memory is free", () => {
        try {
          rmdirSync(this.#memory!);
          return true;
        } catch {
          return false;
        }
      }).catch(() => {});
  }
}

export const PATHS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const rights = ({ uid, gid, groups }: User): string[] => [
  `--reuid=${uid}`,
  `--regid=${gid}`,
  groups.length > 0 ? `--groups=${groups.join(",")}` : "--clear-groups",
  "--no-new-privs",
  "--inh-caps=-all",
  "--bounding-set=-all",
];

/** A group of the first version of control groups, whose process may have this much; undefined where there is none. */
function memoryGroup(name: string, bytes: number | undefined): string | undefined {
  if (bytes === undefined || !existsSync(join(MEMORY, "memory.limit_in_bytes"))) return undefined;
  const folder = join(MEMORY, `valence-${process.pid}-${name}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "memory.limit_in_bytes"), `${bytes}`);
  return folder;
}
