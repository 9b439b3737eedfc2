// Builds the image without an engine: reads the Dockerfile and does what it says, instruction by instruction, in folders. Each
// stage has a root of its own, with this machine's programs in place of the base image's, and its commands see nothing else.
// Packages are linked from the installed ones as the lock file names them; with `npm` they are installed as the line says.
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { DockerfileParser, type Copy, type From, type Instruction, type JSONInstruction } from "dockerfile-ast";
import { isInImage, read } from "./image.ts";
import { ROOT } from "./manifests.ts";

export interface Image {
  /** Its root folder. */
  readonly root: string;
  readonly workdir: string;
  /** `uid:gid` */
  readonly user: string;
  readonly env: Readonly<Record<string, string>>;
  readonly command: readonly string[];
  readonly healthcheck: readonly string[];
  readonly volumes: readonly string[];
}
type Stage = { -readonly [K in keyof Image]: Image[K] };

/** Why this machine cannot run something as a container does; undefined if it can. */
export function cannotContain(): string | undefined {
  if (process.platform !== "linux" || process.getuid!() !== 0) return "it needs Linux and root, for mounts and users";
  const { status } = spawnSync("unshare", ["--mount", "--pid", "--fork", "setpriv", "--no-new-privs", "true"]);
  return status === 0 ? undefined : "unshare or setpriv does not work here";
}

/** Builds into `folder`, from the files that git has or would have. `npm`: installs the packages, which takes a minute. */
export function buildImage(folder: string, { npm }: { npm: boolean }): Image {
  const stages = new Map<string, Stage>();
  const context = join(folder, "context");
  copyContext(context);
  let stage: Stage | undefined;
  for (const instruction of DockerfileParser.parse(read("Dockerfile")).getInstructions()) {
    if (instruction.getKeyword() === "FROM") {
      const name = (instruction as From).getBuildStage() ?? "image";
      stage = {
        root: join(folder, name),
        workdir: "/",
        user: "0:0",
        env: {},
        command: [],
        healthcheck: [],
        volumes: [],
      };
      makeRoot(stage.root);
      stages.set(name, stage);
    } else if (stage) apply(instruction, stage, { stages, context, npm });
  }
  return stage!;
}

interface Build {
  readonly stages: ReadonlyMap<string, Stage>;
  readonly context: string;
  readonly npm: boolean;
}

function apply(instruction: Instruction, stage: Stage, build: Build): void {
  const words = instruction.getArguments().map(argument => argument.getValue().replaceAll(/^"|"$/g, ""));
  const said = `${instruction.getKeyword()} ${instruction.getRawArgumentsContent() ?? ""}`;
  switch (instruction.getKeyword()) {
    case "WORKDIR":
      stage.workdir = words[0]!;
      mkdirSync(join(stage.root, stage.workdir), { recursive: true });
      return;
    case "ENV":
      for (const [name, value] of words.map(word => word.split("=", 2)))
        stage.env = { ...stage.env, [name!]: value!.replaceAll(/\$\w+/g, "") };
      return;
    case "USER":
      stage.user = words[0]!;
      return;
    case "COPY":
      return copy(instruction as Copy, stage, words, build);
    case "RUN": {
      const command = instruction
        .getRawArgumentsContent()!
        .replaceAll(/\\\n/g, " ")
        .replace(/^(--\S+ +)*/, "");
      if (/^npm ci\b/.test(command) && !build.npm) return linkPackages(join(stage.root, stage.workdir));
      const { status, output } = runInside(stage, ["sh", "-c", command]);
      if (status !== 0) throw new Error(`${said}: ended with ${status}\n${output}`);
      return;
    }
    case "VOLUME":
      stage.volumes = [...stage.volumes, ...words];
      return;
    case "CMD":
      stage.command = jsonOf(instruction);
      return;
    case "HEALTHCHECK":
      stage.healthcheck = JSON.parse(/CMD\s+(\[.*\])/s.exec(said)![1]!);
      return;
    case "ARG":
    case "LABEL":
    case "EXPOSE":
      return;
    default:
      throw new Error(`${said}: is not known here`);
  }
}

const jsonOf = (instruction: Instruction): string[] =>
  (instruction as JSONInstruction).getJSONStrings().map(argument => argument.getJSONValue());

function copy(instruction: Copy, stage: Stage, words: readonly string[], { stages, context }: Build): void {
  const paths = words.filter(word => !word.startsWith("--"));
  const to = paths.pop()!;
  const name = instruction.getFromFlag()?.getValue();
  const from = name ? stages.get(name)!.root : context;
  for (const path of paths) {
    const source = join(from, path);
    // A stage may leave nothing there, as an installation does where no workspace needs another version.
    if (!existsSync(source)) {
      if (!name || !path.endsWith("node_modules")) throw new Error(`COPY ${path}: it is not there`);
      continue;
    }
    const target = join(stage.root, stage.workdir, to);
    const isInto = to.endsWith("/") && lstatSync(source).isFile();
    link(source, isInto ? join(target, path.split("/").at(-1)!) : to === "./" ? join(target, path) : target);
  }
}

/** Files are linked, not copied, since nothing writes to them: their stages are done, and the image is read-only. */
function link(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  const contents = lstatSync(from).isDirectory() ? `${from}/.` : from;
  if (contents !== from) mkdirSync(to, { recursive: true });
  for (const how of ["-al", "-a"]) if (spawnSync("cp", [how, contents, to]).status === 0) return;
  throw new Error(`${from} cannot be copied to ${to}`);
}

function copyContext(context: string): void {
  const ignore = read(".dockerignore");
  const listed = spawnSync("git", ["ls-files", "-co", "--exclude-standard"], { cwd: ROOT, encoding: "utf8" });
  for (const file of listed.stdout.split("\n"))
    if (file && isInImage(ignore, file) && existsSync(join(ROOT, file))) cpSync(join(ROOT, file), join(context, file));
}

/** The packages that `npm ci --omit=dev` installs, by the lock file, and the links to our own. */
function linkPackages(app: string): void {
  const { packages } = JSON.parse(read("package-lock.json")) as {
    packages: Record<string, { dev?: boolean; link?: boolean; resolved?: string }>;
  };
  for (const [path, { dev, link: isOurs, resolved = "" }] of Object.entries(packages)) {
    const isTop = /^((mixins|client|web)\/)?node_modules\/(@[^/]+\/)?[^/]+$/.test(path);
    if (!isTop || dev || !existsSync(join(ROOT, path))) continue;
    if (!isOurs) {
      link(join(ROOT, path), join(app, path));
      continue;
    }
    mkdirSync(dirname(join(app, path)), { recursive: true });
    symlinkSync(
      join(app, resolved)
        .slice(app.length + 1)
        .replace(/^/, "../".repeat(path.split("/").length - 1)),
      join(app, path),
    );
  }
}

// ---- roots

/** What the base image gives: the programs, their libraries and the certificates. */
const BASE = readdirSync("/").filter(name => /^(usr|bin|sbin|lib\w*|etc)$/.test(name));

/** The Node of this process, which may not be the one in /usr. */
const NODE = "/opt/bin/node";

function makeRoot(root: string): void {
  for (const name of ["proc", "dev", "tmp", "root"]) mkdirSync(join(root, name), { recursive: true });
  for (const name of BASE)
    if (lstatSync(`/${name}`).isSymbolicLink()) symlinkSync(readlinkSync(`/${name}`), join(root, name));
    else mkdirSync(join(root, name));
  mkdirSync(join(root, NODE, ".."), { recursive: true });
  writeFileSync(join(root, NODE), "");
}

export interface Inside {
  /** Read-only, apart from these folders and /tmp. Default: all of it can be written to. */
  readonly writable?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Arguments of `unshare` for a command as the process 1 of a container: the shell gives its place to each program after it. */
function containing({ root, workdir, user, env }: Stage | Image, command: readonly string[], inside: Inside): string[] {
  const { writable, env: more = {} } = inside;
  const [uid, gid] = user.split(":") as [string, string];
  const mounts = [
    `mount --rbind ${quoted(root)} ${quoted(root)}`,
    ...BASE.filter(name => !lstatSync(`/${name}`).isSymbolicLink()).map(
      name => `mount --bind -o ro /${name} ${quoted(join(root, name))}`,
    ),
    `mount --bind -o ro ${quoted(process.execPath)} ${quoted(join(root, NODE))}`,
    `mount -t proc proc ${quoted(join(root, "proc"))}`,
    `mount --rbind /dev ${quoted(join(root, "dev"))}`,
    `mount -t tmpfs -o mode=1777 tmpfs ${quoted(join(root, "tmp"))}`,
    ...(writable ?? []).map(path => `mount --bind ${quoted(join(root, path))} ${quoted(join(root, path))}`),
    ...(writable ? [`mount -o remount,bind,ro ${quoted(root)}`] : []),
  ];
  const isRoot = uid === "0";
  const privileges = isRoot
    ? []
    : [
        "setpriv",
        `--reuid=${uid}`,
        `--regid=${gid}`,
        "--clear-groups",
        "--no-new-privs",
        "--bounding-set=-all",
        "--inh-caps=-all",
      ];
  const all = { PATH: "/opt/bin:/usr/local/bin:/usr/bin:/bin", HOME: isRoot ? "/root" : "/tmp", ...env, ...more };
  const variables = Object.entries(all).map(([name, value]) => `${name}=${value}`);
  const words = ["chroot", root, ...privileges, "env", "-i", "-C", workdir, ...variables, ...command];
  const script = `set -e; ${mounts.join("; ")}; exec ${words.map(quoted).join(" ")}`;
  return ["--mount", "--propagation=private", "--pid", "--fork", "--kill-child", "sh", "-c", script];
}
const quoted = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;

/** Runs a command to its end. */
export function runInside(
  image: Stage | Image,
  command: readonly string[],
  inside: Inside = {},
): { status: number | null; output: string } {
  const options = { encoding: "utf8", timeout: 240_000, killSignal: "SIGKILL" } as const;
  const { status, stdout, stderr } = spawnSync("unshare", containing(image, command, inside), options);
  return { status, output: `${stdout}${stderr}` };
}

/** A container: the image's command, or another, as its process 1. */
export class Container {
  readonly #unshare: ChildProcess;
  output = "";

  constructor(image: Image, inside: Inside, command = image.command) {
    this.#unshare = spawn("unshare", containing(image, command, inside), { stdio: ["ignore", "pipe", "pipe"] });
    const keep = (chunk: Buffer): void => void (this.output += chunk.toString());
    this.#unshare.stdout!.on("data", keep);
    this.#unshare.stderr!.on("data", keep);
  }

  get exitCode(): number | null {
    return this.#unshare.exitCode;
  }
  get running(): boolean {
    return this.#unshare.exitCode === null && this.#unshare.signalCode === null;
  }
  /** Its process 1, as this machine numbers it. */
  get first(): number | undefined {
    return childrenOf(this.#unshare.pid!)[0];
  }
  /** Fields of `/proc/<id>/status` of its process 1. */
  status(field: string): string | undefined {
    const text = ofKernel(`/proc/${this.first}/status`);
    return new RegExp(`^${field}:\\s*(.*)$`, "m").exec(text)?.[1];
  }
  /** Processes of it that have ended, and that nobody has asked about. */
  zombies(): number[] {
    const all = (id: number): number[] => childrenOf(id).flatMap(child => [child, ...all(child)]);
    return all(this.#unshare.pid!).filter(id => /^State:\s*Z/m.test(ofKernel(`/proc/${id}/status`)));
  }
  kill(signal: NodeJS.Signals): void {
    const { first } = this;
    if (first !== undefined) process.kill(first, signal);
  }
}

function childrenOf(id: number): number[] {
  const text = ofKernel(`/proc/${id}/task/${id}/children`);
  return text.split(" ").filter(Boolean).map(Number);
}
/** Empty when the process has ended. */
function ofKernel(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
