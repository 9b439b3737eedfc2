// A network of its own: a namespace that routes, and one for each pod, which is linked to it alone. Nothing of the machine's own
// network changes. Addresses of pods are routes of one host each, as in Calico.
import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { promisify } from "node:util";
import { SERVICE_NETWORK } from "./rules.ts";
import { program } from "@valence/runtime/testing/servers";

const run = promisify(execFile);
/** The router's address at every link. */
const ROUTER = "169.254.1.1";
const PREFIX = "valence-";
const NFT = { name: "nft", package: "nftables" };
const IP = { name: "ip", package: "iproute2" };

/** A connection that was tried, by address. */
export interface Attempt {
  readonly from: string;
  readonly to: string;
  readonly protocol: string;
  readonly port: number;
}

/** Why there can be no such network here; undefined where there can. It installs what is missing. */
export async function whyNoNetwork(): Promise<string | undefined> {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "network namespaces take root on Linux";
  const probe = `${PREFIX}${process.pid}-probe`;
  try {
    [IP, NFT].forEach(program);
    await run("ip", ["netns", "add", probe]);
    const rules = "add table ip a; add chain ip a b { type nat hook prerouting priority dstnat; }";
    await run("ip", ["netns", "exec", probe, "nft", rules]);
    return undefined;
  } catch (error) {
    return `no network namespaces with nftables here: ${(error as Error).message}`;
  } finally {
    await run("ip", ["netns", "del", probe]).catch(() => {});
  }
}

export class Network {
  /** The namespace that routes: what runs in it is as the host of pods, which no policy keeps out. */
  readonly router = `${PREFIX}${process.pid}-router`;
  readonly #namespaces = new Map<string, number>();
  #links = 0;
  /** Rules are written one after another. */
  #writing: Promise<unknown> = Promise.resolve();

  static async create(): Promise<Network> {
    const network = new Network();
    await removeLeft();
    await run("ip", ["netns", "add", network.router]);
    await network.#batch(network.router, [
      "link set lo up",
      // The addresses of Services lead somewhere, or a connection to one without pods would not come to the rule that refuses it.
      "link add services type veth peer name nowhere",
      "link set services up",
      `route add ${SERVICE_NETWORK} dev services`,
    ]);
    await network.exec(network.router, ["sysctl", "-qw", "net.ipv4.ip_forward=1"]);
    return network;
  }

  /** A namespace with this address. */
  async add(address: string): Promise<string> {
    const link = ++this.#links;
    const namespace = `${PREFIX}${process.pid}-${link}`;
    await run("ip", ["netns", "add", namespace]);
    this.#namespaces.set(namespace, link);
    await this.#batch(this.router, [
      `link add pod${link} type veth peer name eth0 netns ${namespace}`,
      `address add ${ROUTER}/32 dev pod${link}`,
      `link set pod${link} up`,
      `route add ${address}/32 dev pod${link}`,
    ]);
    await this.#batch(namespace, [
      "link set lo up",
      `address add ${address}/32 dev eth0`,
      "link set eth0 up",
      `route add ${ROUTER} dev eth0 scope link`,
      `route add default via ${ROUTER} dev eth0`,
    ]);
    return namespace;
  }

  async remove(namespace: string): Promise<void> {
    const link = this.#namespaces.get(namespace);
    this.#namespaces.delete(namespace);
    // A namespace lives as long as a socket in it: the link goes at once.
    await run("ip", ["-n", this.router, "link", "del", `pod${link}`]).catch(() => {});
    await run("ip", ["netns", "del", namespace]);
  }

  /** Puts a set of rules in place of the one before, at once. */
  apply(rules: string): Promise<void> {
    const written = this.#writing.then(() => this.exec(this.router, ["nft", "-f", "-"], rules)).then(() => {});
    this.#writing = written.catch(() => {});
    return written;
  }

  /** The connections that were allowed, or refused, since the start. */
  async attempts(set: "used" | "refused"): Promise<Attempt[]> {
    const text = await this.exec(this.router, ["nft", "--json", "--numeric", "list", "set", "ip", "cluster", set]);
    const elements: any[] = JSON.parse(text).nftables.find((one: any) => one.set).set.elem ?? [];
    return elements.map(one => {
      const [from, to, protocol, port] = (one.elem?.val ?? one).concat;
      return { from, to, protocol: { 6: "tcp", 17: "udp" }[protocol as number] ?? `${protocol}`, port };
    });
  }

  exec(namespace: string, command: readonly string[], input?: string): Promise<string> {
    return runWith("ip", ["netns", "exec", namespace, ...command], input);
  }

  async #batch(namespace: string, lines: readonly string[]): Promise<void> {
    await runWith("ip", ["-n", namespace, "-batch", "-"], `${lines.join("\n")}\n`);
  }

  async close(): Promise<void> {
    for (const namespace of this.#namespaces.keys()) await this.remove(namespace).catch(() => {});
    await run("ip", ["netns", "del", this.router]).catch(() => {});
  }
}

function runWith(command: string, args: readonly string[], input = ""): Promise<string> {
  const running = run(command, [...args], { maxBuffer: 16_000_000 });
  running.child.stdin!.on("error", () => {});
  running.child.stdin!.end(input);
  return running.then(({ stdout }) => stdout);
}

/** Namespaces of a run that was killed. */
async function removeLeft(): Promise<void> {
  if (!existsSync("/run/netns")) return;
  for (const name of readdirSync("/run/netns")) {
    const owner = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1];
    if (owner !== undefined && !isJest(owner)) await run("ip", ["netns", "del", name]).catch(() => {});
  }
}
function isJest(pid: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("jest");
  } catch {
    return false;
  }
}
