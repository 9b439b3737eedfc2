// A cluster without a cluster: the pods of rendered manifests on this machine, each in a network of its own behind the
// NetworkPolicies, with what a cluster has around them.
//
//   scheduler, kubelet   a pod goes to the machine with the fewest of its kind, and runs there (pod.ts)
//   kube-proxy           a Service leads to its ready pods in turn; the endpoints follow the probes (rules.ts)
//   kube-dns             dnsmasq has the names of Services, and of a public DNS
//   Deployments          roll-out within maxSurge and maxUnavailable, scale, and pods in place of those that are gone
//   StatefulSets, drain  names that stay; evictions within the budgets
//   operators            Secrets, certificates, Postgres (secrets.ts, postgres.ts)
//
// Left out: the mesh, limits of CPU, and the clients of the monitoring.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Authority, program } from "@valence/runtime/testing/servers";
import { until } from "@valence/runtime/testing";
import { isSelected } from "../edges.ts";
import type { Manifest } from "../manifests.ts";
import { matches, NAME, ofKind, podsOf, workloadsOf, type Workload } from "../workloads.ts";
import { Agent } from "./agents.ts";
import { imagesWith, PUBLIC_AUTHORITY } from "./image.ts";
import { Network, type Attempt } from "./network.ts";
import { Pod, type PodContext } from "./pod.ts";
import { PostgresPods } from "./postgres.ts";
import { ruleset, type Endpoint, type ServiceAddress } from "./rules.ts";
import { newStore, tlsData, withSecrets, type Store } from "./secrets.ts";

export const NAMESPACE = "valence";
const DOMAIN = "cluster.local";
/** The machines that pods are on. They differ by name only. */
export const NODES = ["node-a", "node-b", "node-c"] as const;
export type NodeName = (typeof NODES)[number];

/** Hosts outside: the payment provider and the mail server at one public address, one of a private network, and a cloud's own. */
const HOSTS: Readonly<Record<string, string>> = {
  internet: "203.0.113.10",
  private: "192.168.7.7",
  metadata: "169.254.169.254",
};
const DNS = { name: "dnsmasq", package: "dnsmasq-base" };
/** Milliseconds until a pod is ready: ten starts at once, on a machine where others start too. */
const READY_MS = 600_000;
/** Milliseconds between two tries to evict a pod, as `kubectl drain` waits: less, since starts take less here. */
const EVICTION_MS = 1_000;

/** A workload with its pods; `expected`: how many it should have. */
interface Controlled {
  readonly workload: Workload;
  expected: number;
  pods: Pod[];
}

export class Cluster {
  readonly manifests: readonly Manifest[];
  readonly store: Store;
  /** All pods that were made, those that have ended too. */
  readonly history: Pod[] = [];
  readonly #folder = mkdtempSync(join(tmpdir(), "valence-cluster-"));
  readonly #network: Network;
  /** Signs what is inside. */
  readonly #authority: Authority;
  /** Stands for those that the whole world knows. */
  readonly #public: Authority;
  readonly #context: PodContext;
  readonly #controlled = new Map<string, Controlled>();
  /** Hosts beside our workloads: other namespaces, Postgres, the internet. */
  readonly #others: (Endpoint & { readonly network: string })[] = [];
  readonly #agents = new Map<string, Agent>();
  readonly #serviceAddresses = new Map<string, string>();
  readonly #cordoned = new Set<string>();
  readonly #postgres: PostgresPods;
  /** Everything that ends a pod, to be waited for at the end. */
  readonly #ending: Promise<void>[] = [];
  #dns: ChildProcess | undefined;
  #addresses = 0;
  #made = 0;
  #syncing: Promise<void> = Promise.resolve();
  #isChanged = false;
  #failure: unknown;

  private constructor(manifests: readonly Manifest[], network: Network) {
    this.#network = network;
    chmodSync(this.#folder, 0o755);
    [this.#authority, this.#public] = ["authority", "public"].map(name => new Authority(this.#claim(name))) as any;
    this.store = newStore(manifests);
    this.manifests = withSecrets(manifests, this.store, this.#authority);
    this.#postgres = new PostgresPods(this.manifests);
    this.#context = {
      manifests: this.manifests,
      images: imagesWith(this.#claim("compile-cache", 1_000)),
      host: this.#agent(network.router),
      etc: pod => this.#etc(pod),
      claim: name => this.#claim(name),
      changed: () => void this.#sync(),
    };
    for (const workload of workloadsOf(this.manifests))
      this.#controlled.set(workload.id, { workload, expected: 0, pods: [] });
  }

  /** Servers and everything around them; of ours, nothing runs yet. */
  static async start(manifests: readonly Manifest[]): Promise<Cluster> {
    const cluster = new Cluster(manifests, await Network.create());
    try {
      await cluster.#startOthers();
      const servers = [...cluster.#controlled.values()].filter(one => one.workload.manifest.kind === "StatefulSet");
      await Promise.all(servers.map(({ workload: { id, manifest } }) => cluster.scale(id, manifest.spec.replicas)));
    } catch (error) {
      await cluster.close();
      throw error;
    }
    return cluster;
  }

  get pods(): Pod[] {
    return [...this.#controlled.values()].flatMap(({ pods }) => pods);
  }
  podsOf(id: string): Pod[] {
    return this.#of(id).pods;
  }

  // ---- what is asked of a cluster

  /** Runs a Job to its end. */
  async complete(id: string): Promise<void> {
    const controlled = this.#of(id);
    const pod = await this.#add(controlled);
    await pod.completes(READY_MS);
    await this.#remove(controlled, pod);
  }

  /** Resolves when so many pods are ready, and the others have ended. */
  async scale(id: string, expected: number): Promise<void> {
    const controlled = this.#of(id);
    controlled.expected = expected;
    const { length } = controlled.pods;
    const added = Array.from({ length: Math.max(0, expected - length) }, () => this.#add(controlled));
    const gone = controlled.pods.slice(expected).map(pod => this.#remove(controlled, pod));
    for (const pod of await Promise.all(added)) await pod.becomesReady(READY_MS);
    await Promise.all(gone);
  }

  /** Replaces each pod of a Deployment within its strategy. Resolves when the new ones are ready and the old ones have ended. */
  async rollOut(id: string): Promise<void> {
    const controlled = this.#of(id);
    const { maxSurge, maxUnavailable } = controlled.workload.manifest.spec.strategy.rollingUpdate;
    const old = new Set(controlled.pods);
    const ending: Promise<void>[] = [];
    await until(
      `${id} has rolled out`,
      async () => {
        const fresh = controlled.pods.filter(pod => !old.has(pod));
        const left = controlled.pods.filter(pod => old.has(pod));
        const ready = controlled.pods.filter(pod => pod.isReady).length;
        if (fresh.length < controlled.expected && controlled.pods.length < controlled.expected + maxSurge)
          await this.#add(controlled);
        else if (left.length > 0 && ready > controlled.expected - maxUnavailable)
          ending.push(this.#remove(controlled, left[0]!));
        return left.length === 0 && fresh.length === controlled.expected && fresh.every(pod => pod.isReady);
      },
      READY_MS * controlled.expected,
    );
    await Promise.all(ending);
  }

  /**
   * Empties a machine, as `kubectl drain` does: every pod is evicted once its budget allows it, and another is started elsewhere.
   * Resolves when they have ended, and as many as there should be are ready, but for those that must wait for a machine.
   */
  async drain(node: NodeName): Promise<void> {
    this.#cordoned.add(node);
    const evicted = [...this.#controlled.values()].flatMap(controlled =>
      controlled.pods.filter(pod => pod.node === node).map(pod => this.#evict(controlled, pod)),
    );
    await Promise.all(evicted);
  }

  /** The machine takes pods again, those that wait first. */
  async uncordon(node: NodeName): Promise<void> {
    this.#cordoned.delete(node);
    for (const [id, { expected, pods }] of this.#controlled) if (pods.length < expected) await this.scale(id, expected);
  }

  async #evict(controlled: Controlled, pod: Pod): Promise<void> {
    await until(
      `${pod.name} may be evicted`,
      async () => this.#mayEvict(pod) || (await sleep(EVICTION_MS), false),
      READY_MS,
    );
    const ended = this.#remove(controlled, pod);
    // A StatefulSet's next pod has the name of the one before.
    if (controlled.workload.manifest.kind === "StatefulSet") await ended;
    if (this.#placeFor(controlled) !== undefined) await (await this.#add(controlled)).becomesReady(READY_MS);
    await ended;
  }

  #mayEvict(pod: Pod): boolean {
    const budgets = ofKind(this.manifests, "PodDisruptionBudget").filter(({ spec }) =>
      isSelected(spec.selector, pod.labels),
    );
    return budgets.every(({ spec: { maxUnavailable, selector } }) => {
      const chosen = [...this.#controlled.values()].filter(({ workload }) => isSelected(selector, workload.labels));
      const expected = chosen.reduce((sum, one) => sum + one.expected, 0);
      const healthy = chosen.flatMap(({ pods }) => pods).filter(({ isReady }) => isReady).length;
      return !pod.isReady || healthy - 1 >= expected - maxUnavailable;
    });
  }

  /** Stops everything of ours in order, gateways first. Answers pods that did not end by themselves. */
  async stopOurs(): Promise<string[]> {
    const all = [...this.#controlled.values()].filter(({ workload }) => workload.manifest.kind === "Deployment");
    const isFirst = ({ workload }: Controlled): boolean => workload.labels[NAME] === "gateway";
    for (const { workload } of [...all.filter(isFirst), ...all.filter(one => !isFirst(one))])
      await this.scale(workload.id, 0);
    await Promise.all(this.#ending);
    return this.history
      .filter(({ workload }) => workload.manifest.kind === "Deployment")
      .filter(({ wasKilled, exitCode }) => wasKilled || exitCode !== 0)
      .map(({ name, wasKilled, exitCode, log }) => `${name}: ${wasKilled ? "killed" : exitCode} ${log.slice(-1_000)}`);
  }

  // ---- what is seen of it

  /** Of the superuser, from this machine. */
  get databaseUrl(): string {
    return this.#postgres.url(NAMESPACE);
  }

  /** A door on this machine to a Service's or a pod's port, as seen from a namespace. */
  async door(from: string, to: { host: string; port: number }): Promise<string> {
    const other = this.#others.find(({ namespace, name }) => namespace === from || name === from)!;
    const { host, port } = await this.#agent(other.network).door(to);
    return `http://${host}:${port}`;
  }

  serviceAddress(name: string): string {
    return this.#serviceAddresses.get(name)!;
  }

  /** Mails that the server outside has got. */
  mails(): Promise<number> {
    return this.#agent(this.#others.find(({ name }) => name === "internet")!.network).ask("mails", {});
  }

  /** A pod of each kind and a host of each namespace, by name. */
  get ends(): ReadonlyMap<string, Endpoint & { readonly network: string }> {
    const all = [...this.#others, ...this.pods.filter(({ isReady }) => isReady)];
    return new Map(all.map(one => [nameOf(one), one]));
  }

  /** What becomes of connections from a pod to these places: `open`, or the code of the error. */
  async connect(
    from: { readonly network: string },
    places: readonly { host: string; port: number }[],
  ): Promise<string[]> {
    const agent = new Agent(from.network);
    try {
      return await agent.ask("connect", { places: [...places], timeoutMs: 3_000 });
    } finally {
      await agent.close();
    }
  }

  /** The connections that were tried, by names: `core → redis:6379`. Addresses of pods that are gone keep their names. */
  async edges(set: "used" | "refused"): Promise<string[]> {
    const all: readonly Endpoint[] = [...this.#others, ...this.history];
    const named = (address: string): string => {
      const found = all.find(one => one.address === address);
      return found ? nameOf(found) : address;
    };
    const edge = ({ from, to, protocol, port }: Attempt): string =>
      `${named(from)} → ${named(to)}:${port}${protocol === "udp" ? "/UDP" : ""}`;
    return [...new Set((await this.#network.attempts(set)).map(edge))].toSorted((a, b) => a.localeCompare(b));
  }

  async close(): Promise<void> {
    await Promise.all(this.pods.map(pod => pod.kill().catch(() => {})));
    await Promise.all(this.#ending);
    await this.#syncing.catch(() => {});
    for (const agent of this.#agents.values()) await agent.close();
    this.#dns?.kill("SIGKILL");
    await this.#postgres.stop();
    await this.#network.close();
    rmSync(this.#folder, { recursive: true, force: true });
    if (this.#failure) throw this.#failure;
  }

  // ---- pods

  #of(id: string): Controlled {
    const found = this.#controlled.get(id);
    if (!found) throw new Error(`there is no ${id}`);
    return found;
  }

  /** The machine with the fewest pods of the kind; undefined where one more would be too many on each. */
  #placeFor({ workload, pods }: Controlled): NodeName | undefined {
    const on = (node: string): number => pods.filter(pod => pod.node === node).length;
    const isStrict = (workload.pod.topologySpreadConstraints ?? []).some(
      (one: any) => one.topologyKey === "kubernetes.io/hostname" && one.whenUnsatisfiable === "DoNotSchedule",
    );
    // A machine that takes no pods counts for the spread all the same.
    const fewest = Math.min(...NODES.map(on));
    return NODES.filter(node => !this.#cordoned.has(node))
      .filter(node => !isStrict || on(node) <= fewest)
      .toSorted((a, b) => on(a) - on(b) || this.#on(a) - this.#on(b))[0];
  }
  #on = (node: string): number => this.pods.filter(pod => pod.node === node).length;

  async #add(controlled: Controlled): Promise<Pod> {
    const { workload } = controlled;
    const address = this.#address();
    const network = await this.#network.add(address);
    // From here to the list without a pause: two that are added at once differ in place and name.
    const node = this.#placeFor(controlled);
    if (node === undefined) throw new Error(`no machine may take a pod of ${workload.id}`);
    const place = { name: this.#nameFor(controlled), namespace: NAMESPACE, address, node, network };
    const pod = new Pod(this.#context, workload, place);
    controlled.pods.push(pod);
    this.history.push(pod);
    await this.#sync();
    pod.start();
    return pod;
  }

  #nameFor({ workload, pods }: Controlled): string {
    const { name } = workload.manifest.metadata;
    if (workload.manifest.kind !== "StatefulSet") return `${name}-${(++this.#made).toString(36).padStart(5, "0")}`;
    for (let n = 0; ; n++) if (!pods.some(pod => pod.name === `${name}-${n}`)) return `${name}-${n}`;
  }

  #remove(controlled: Controlled, pod: Pod): Promise<void> {
    controlled.pods = controlled.pods.filter(one => one !== pod);
    const ended = (async () => {
      await pod.stop();
      await this.#network.remove(pod.network);
      await this.#sync();
    })();
    this.#ending.push(ended);
    return ended;
  }

  #address(): string {
    const n = ++this.#addresses;
    return `10.244.${n >> 8}.${n & 255}`;
  }

  #claim(name: string, owner = 0): string {
    const folder = join(this.#folder, name);
    mkdirSync(folder, { recursive: true });
    chownSync(folder, owner, owner);
    return folder;
  }

  #etc({ name, address }: Pod): Map<string, string> {
    const search = [`${NAMESPACE}.svc.${DOMAIN}`, `svc.${DOMAIN}`, DOMAIN].join(" ");
    return new Map([
      ["etc/resolv.conf", `nameserver ${this.serviceAddress("kube-dns")}\nsearch ${search}\noptions ndots:5\n`],
      ["etc/hosts", `127.0.0.1 localhost\n${address} ${name}\n`],
      [PUBLIC_AUTHORITY, readFileSync(this.#public.ca, "utf8")],
    ]);
  }

  // ---- the network

  #agent(network: string): Agent {
    const agent = this.#agents.get(network) ?? new Agent(network);
    this.#agents.set(network, agent);
    return agent;
  }

  /** Brings the rules and the names up to what is there. Several changes at once are one. */
  #sync(): Promise<void> {
    if (this.#isChanged) return this.#syncing;
    this.#isChanged = true;
    const next = this.#syncing.then(async () => {
      this.#isChanged = false;
      const services = this.#services();
      const pods = [...this.#others, ...this.pods, ...this.history.filter(({ isTerminating }) => isTerminating)];
      this.#writeNames();
      await this.#network.apply(ruleset(this.manifests, NAMESPACE, [...new Set(pods)], services));
    });
    this.#syncing = next.catch(error => void (this.#failure ??= error));
    return next;
  }

  #services(): ServiceAddress[] {
    const own = ofKind(this.manifests, "Service").map(({ metadata, spec }) => {
      const selected = this.pods.filter(pod => matches(spec.selector, pod.labels));
      return {
        name: metadata.name,
        address: this.#serviceAddress(metadata.name),
        ports: spec.ports.map(({ port, targetPort }: any) => ({
          port,
          target: selected[0]?.ports[targetPort] ?? targetPort,
          protocol: "tcp",
        })),
        endpoints: selected.filter(({ isReady }) => isReady).map(({ address }) => address),
      };
    });
    const fixed = (name: string, port: number, pods: readonly string[], protocols = ["tcp"]): ServiceAddress => ({
      name,
      address: this.#serviceAddress(name),
      ports: protocols.map(protocol => ({ port, target: port, protocol })),
      endpoints: this.#others.filter(one => pods.includes(one.name)).map(({ address }) => address),
    });
    return [
      ...own,
      fixed("kube-dns", 53, ["kube-dns"], ["udp", "tcp"]),
      fixed("collector", 4318, ["monitoring"]),
      fixed("postgres-rw", 5432, ["postgres-1"]),
      fixed("postgres-ro", 5432, ["postgres-2"]),
    ].filter(({ ports }) => ports.every(({ target }: any) => typeof target === "number"));
  }

  #serviceAddress(name: string): string {
    const known = this.#serviceAddresses.get(name) ?? `10.96.0.${10 + this.#serviceAddresses.size}`;
    this.#serviceAddresses.set(name, known);
    return known;
  }

  /** The names, as dnsmasq reads them. */
  #writeNames(): void {
    const lines: string[] = [
      `${HOSTS["internet"]} payments.example.com`,
      `${HOSTS["internet"]} mail.example.com`,
      `${this.#serviceAddress("collector")} collector.monitoring.svc.${DOMAIN}`,
      ...["postgres-rw", "postgres-ro"].map(name => `${this.#serviceAddress(name)} ${name}.${NAMESPACE}.svc.${DOMAIN}`),
    ];
    for (const { metadata, spec } of ofKind(this.manifests, "Service")) {
      const full = `${metadata.name}.${NAMESPACE}.svc.${DOMAIN}`;
      if (spec.clusterIP !== "None") {
        lines.push(`${this.#serviceAddress(metadata.name)} ${full}`);
        continue;
      }
      for (const pod of this.pods.filter(one => matches(spec.selector, one.labels)))
        if (pod.isReady || spec.publishNotReadyAddresses) lines.push(`${pod.address} ${pod.name}.${full} ${full}`);
    }
    writeFileSync(join(this.#claim("dns"), "names"), `${lines.join("\n")}\n`);
    this.#dns?.kill("SIGHUP");
  }

  // ---- what is around

  async #startOthers(): Promise<void> {
    const namespaces = ["kube-system", "monitoring", "istio-ingress", "istio-system", "cnpg-system"];
    const postgres = podsOf(this.manifests).find(({ name }) => name === "postgres")!;
    const hosts: Omit<Endpoint, "address">[] = [
      ...namespaces.map(namespace => ({
        name: namespace === "kube-system" ? "kube-dns" : namespace,
        namespace,
        labels: namespace === "kube-system" ? { "k8s-app": "kube-dns" } : {},
        ports: {},
      })),
      ...[1, 2].map(n => ({ name: `postgres-${n}`, namespace: NAMESPACE, labels: postgres.labels, ports: {} })),
      // Pods that nobody runs: one that the Job's policies are about, and one that no policy knows.
      { name: "migrate", namespace: NAMESPACE, labels: { [NAME]: "migrate" }, ports: {} },
      { name: "stranger", namespace: NAMESPACE, labels: {}, ports: {} },
      ...Object.keys(HOSTS).map(name => ({ name, namespace: "", labels: {}, ports: {} })),
    ];
    for (const host of hosts) {
      const address = HOSTS[host.name] ?? this.#address();
      this.#others.push({ ...host, address, network: await this.#network.add(address) });
    }
    const by = (name: string) => this.#others.find(one => one.name === name)!;
    ["kube-dns", "collector", "postgres-rw", "postgres-ro"].forEach(name => this.#serviceAddress(name));
    this.#writeNames();
    await this.#sync();
    await Promise.all([
      this.#startDns(by("kube-dns")),
      this.#postgres.start(
        [by("postgres-1"), by("postgres-2")],
        tlsData(this.#authority, "postgres", ["postgres-rw", "postgres-ro"]),
      ),
      this.#startOutside(this.#agent(by("internet").network)),
      this.#agent(by("monitoring").network).ask("agree", { port: 4318 }),
      this.#agent(by("istio-system").network).ask("listen", { port: 15012 }),
      ...[1, 2].map(n => this.#agent(by(`postgres-${n}`).network).ask("listen", { port: 8000 })),
    ]);
  }

  async #startDns({ network, address }: { network: string; address: string }): Promise<void> {
    const dnsmasq = program(DNS);
    const names = join(this.#claim("dns"), "names");
    const options = [
      "--keep-in-foreground",
      "--no-resolv",
      "--no-hosts",
      `--addn-hosts=${names}`,
      `--local=/${DOMAIN}/`,
    ];
    const own = [
      `--listen-address=${address}`,
      "--bind-interfaces",
      "--user=root",
      "--conf-file=/dev/null",
      "--pid-file=",
    ];
    this.#dns = spawn("nsenter", [`--net=/run/netns/${network}`, dnsmasq, ...options, ...own], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    await once(this.#dns, "spawn");
  }

  async #startOutside(agent: Agent): Promise<void> {
    const data = tlsData(this.#public, "outside", ["payments.example.com", "mail.example.com"]);
    const tls = { cert: data["tls.crt"]!, key: data["tls.key"]! };
    await agent.ask("provider", { filename: join(this.#folder, "provider.ledger"), port: 4010 });
    await agent.ask("listen", { port: 443, tls, to: { host: "127.0.0.1", port: 4010 } });
    await agent.ask("mail", { port: 465, tls });
  }
}

/** A pod by its kind, a host by its name. */
const nameOf = ({ name, labels }: Endpoint): string => labels[NAME] ?? name;
