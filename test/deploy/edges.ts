// The connections between pods, and out of the namespace, as edges: those that our code and the servers need, and those that
// the policies allow. An edge reads `core → redis:6379`. Pods go by their label `app.kubernetes.io/name`, other namespaces by
// their names, public addresses are `internet`.
import { serviceNames } from "../../mixins/operations/services.ts";
import { CONNECTIONS, connectionsOf, type Target } from "./connections.ts";
import type { Manifest } from "./manifests.ts";
import {
  containersOf,
  isOurs,
  matches,
  NAME,
  ofKind,
  type Pods,
  podsOf,
  variablesOf,
  workloadsOf,
} from "./workloads.ts";

export type Direction = "Ingress" | "Egress";
/** Where clients come from, and where names are asked for. */
const INGRESS = "istio-ingress";
const DNS = ["kube-dns:53", "kube-dns:53/UDP"];

// ---- what is needed

/** All edges that begin or end in the namespace, from the connections of the code and what the servers need of each other. */
export function neededEdges(manifests: readonly Manifest[]): string[] {
  return [...new Set([...edgesOfOurs(manifests), ...edgesOfServers(manifests)])].toSorted((a, b) => a.localeCompare(b));
}

/** A start loads the tracing where a collector is named. */
const PROCESS = ["moleculer.config.ts", "mixins/tracing/sdk.ts"];
/** The Job opens the tables of all services, and starts none. */
const MIGRATION = ["mixins/cli/migrate.ts", "mixins/database/mixin.ts"];

/** Workloads of our image, with the servers that they connect to. */
function oursOf(manifests: readonly Manifest[]) {
  return workloadsOf(manifests).flatMap(workload => {
    const name = workload.labels[NAME]!;
    const container = containersOf(workload).find(isOurs);
    // The bundled payment provider has our image, and stands for another company.
    if (!container || name === "payment-provider") return [];
    const variables = new Map(variablesOf(container, manifests).map(one => [one.name, one.value]));
    const isJob = workload.manifest.kind === "Job";
    const services = isJob ? [] : (variables.get("SERVICES")?.split(",") ?? serviceNames("services"));
    const entries = isJob ? MIGRATION : [...PROCESS, ...services.map(one => `services/${one}/${one}.service.ts`)];
    const servers = connectionsOf(entries).flatMap(target => serversOf(target, variables));
    return [{ name, labels: workload.labels, services, variables, servers }];
  });
}

function edgesOfOurs(manifests: readonly Manifest[]): string[] {
  return oursOf(manifests).flatMap(({ name, labels, services, variables, servers }) => [
    ...DNS.map(dns => `${name} → ${dns}`),
    ...servers.map(server => `${name} → ${placeOf(server, manifests)}`),
    ...(services.includes("api") ? [`${INGRESS} → ${name}:${variables.get("PORT") ?? 3000}`] : []),
    ...(isScraped(labels, manifests) ? [`monitoring → ${name}:${variables.get("HEALTH_PORT")}`] : []),
  ]);
}
const isScraped = (labels: Readonly<Record<string, string>>, manifests: readonly Manifest[]): boolean =>
  ofKind(manifests, "PodMonitor").some(({ spec }) => isSelected(spec.selector, labels));

interface Server {
  readonly host: string;
  readonly port: number;
}
/** Users name the servers of their webhooks and of their images, at public addresses by https. */
const ANYTHING = { host: "a.user-named", port: 443 };
const PORTS: Readonly<Record<string, number>> = { "http:": 80, "https:": 443, "smtp:": 587, "smtps:": 465 };

/** The servers of a connection that a process with these variables opens; none where its variable is not set. */
function serversOf(target: Target, variables: ReadonlyMap<string, string | undefined>): Server[] {
  const { variable } = CONNECTIONS[target];
  if (variable === undefined) return [ANYTHING];
  const own = [...variables].filter(
    ([name]) => name === variable || (target === "postgres" && /DATABASE(?:_REPLICA)?_URL$/.test(name)),
  );
  return own.flatMap(([, text = ""]) =>
    text
      .split(",")
      .filter(Boolean)
      .map(one => {
        const url = new URL(one.includes("://") ? one : `tcp://${one}`);
        return { host: url.hostname, port: Number(url.port) || PORTS[url.protocol]! };
      }),
  );
}

/** Where a name leads to: `redis:6379`, by the pods that its Service selects. */
function placeOf({ host, port }: Server, manifests: readonly Manifest[]): string {
  const [name = "", ...others] = host.replace(/\.svc(?:\.cluster\.local)?$/, "").split(".");
  const pods = podsOf(manifests);
  const service = ofKind(manifests, "Service").find(({ metadata }) => metadata.name === name)?.spec;
  if (service) {
    const { targetPort } = service.ports.find((one: any) => one.port === port);
    const there = pods.find(({ labels }) => matches(service.selector, labels))!;
    return `${there.name}:${there.ports[targetPort] ?? targetPort}`;
  }
  // CloudNativePG makes a Service for the primary, one for the standbys, and one for all.
  const instance = pods.find(({ labels }) => name.replace(/-(?:rw|ro|r)$/, "") === labels["cnpg.io/cluster"]);
  const pooler = pods.find(({ labels }) => labels["cnpg.io/poolerName"] === name);
  if (instance ?? pooler) return `${(instance ?? pooler)!.name}:${port}`;
  // A name of the public DNS, or a Service of another namespace.
  return `${host.includes(".svc") ? others.at(-1) : "internet"}:${port}`;
}

/** Edges among servers, as their documentation has them. */
function edgesOfServers(manifests: readonly Manifest[]): string[] {
  const nats = ofKind(manifests, "StatefulSet").find(({ metadata }) => metadata.name === "nats");
  const clusters = ofKind(manifests, "Cluster").map(
    ({ metadata, spec }) => spec.inheritedMetadata?.labels?.[NAME] ?? metadata.name,
  );
  return [
    ...(nats ? [...DNS.map(dns => `nats → ${dns}`), ...(nats.spec.replicas > 1 ? ["nats → nats:6222"] : [])] : []),
    ...clusters.flatMap(name => [
      ...DNS.map(dns => `${name} → ${dns}`),
      `${name} → ${name}:5432`,
      `${name} → ${name}:8000`,
      `cnpg-system → ${name}:8000`,
      // The API server, and the store of the backups.
      `${name} → anywhere:443`,
      `${name} → anywhere:6443`,
    ]),
    ...ofKind(manifests, "Pooler").flatMap(({ metadata, spec }) => {
      const { name } = podsOf(manifests).find(({ labels }) => labels["cnpg.io/poolerName"] === metadata.name)!;
      const server = { host: `${spec.cluster.name}-${spec.type}`, port: 5432 };
      const needed = [...DNS, placeOf(server, manifests), "anywhere:443", "anywhere:6443"];
      return needed.map(to => `${name} → ${to}`);
    }),
    ...(isInSidecarMesh(manifests)
      ? podsOf(manifests).flatMap(({ name }) => ["istio-system:15012", ...DNS].map(to => `${name} → ${to}`))
      : []),
  ];
}

// ---- what is allowed

/** All edges that the NetworkPolicies of one direction allow. A pod that no policy selects may do anything. */
export function networkEdges(manifests: readonly Manifest[], direction: Direction): string[] {
  const pods = podsOf(manifests);
  const policies = ofKind(manifests, "NetworkPolicy").filter(({ spec }) => spec.policyTypes.includes(direction));
  const edge = (own: string, other: string, port: string): string =>
    direction === "Egress" ? `${own} → ${other}:${port}` : `${other} → ${own}:${port}`;
  const found = pods.flatMap(({ name, labels }) => {
    const own = policies.filter(({ spec }) => isSelected(spec.podSelector, labels));
    if (own.length === 0) return [edge(name, "anywhere", "any")];
    const rules: any[] = own.flatMap(({ spec }) => spec[direction.toLowerCase()] ?? []);
    return rules.flatMap(rule => {
      const peers: any[] = (direction === "Egress" ? rule.to : rule.from) ?? [{}];
      const ports: any[] = rule.ports ?? [{ port: "any" }];
      return peers.flatMap(peer =>
        namesOf(peer, pods).flatMap(other =>
          ports.map(({ port, protocol }) => edge(name, other, protocol === "UDP" ? `${port}/UDP` : `${port}`)),
        ),
      );
    });
  });
  return [...new Set(found)].toSorted((a, b) => a.localeCompare(b));
}

function namesOf(peer: any, pods: readonly Pods[]): string[] {
  const { podSelector, namespaceSelector, ipBlock } = peer;
  if (ipBlock) return [isPublic(ipBlock) ? "internet" : ipBlock.cidr === "0.0.0.0/0" ? "anywhere" : ipBlock.cidr];
  if (namespaceSelector) {
    const namespace: string = namespaceSelector.matchLabels?.["kubernetes.io/metadata.name"] ?? "anywhere";
    return [
      podSelector?.matchLabels?.["k8s-app"] === "kube-dns" && namespace === "kube-system" ? "kube-dns" : namespace,
    ];
  }
  if (!podSelector) return ["anywhere"];
  return pods.filter(({ labels }) => isSelected(podSelector, labels)).map(({ name }) => name);
}
/** All addresses but the private ones. */
const isPublic = ({ cidr, except = [] }: any): boolean =>
  cidr === "0.0.0.0/0" && PRIVATE.every(one => except.includes(one));
const PRIVATE = ["10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"];

/** Whether a selector of labels selects these; an empty one selects all. */
export function isSelected(selector: any, labels: Readonly<Record<string, string>>): boolean {
  const { matchLabels = {}, matchExpressions = [] } = selector;
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values = [] }: any) => {
      const isIn = values.includes(labels[key]);
      return { In: isIn, NotIn: !isIn, Exists: key in labels, DoesNotExist: !(key in labels) }[operator as string];
    })
  );
}

/** Edges that the NetworkPolicies allow too much or too little, in both directions; nothing where there are none. */
export function networkIsAsNeeded(manifests: readonly Manifest[]): string[] {
  if (ofKind(manifests, "NetworkPolicy").length === 0) return [];
  const names = podsOf(manifests).map(({ name }) => name);
  const needed = neededEdges(manifests);
  // The port of ambient: an AuthorizationPolicy tells the ports behind it apart.
  const isOfMesh = (edge: string): boolean => edge.endsWith(":15008");
  return (["Egress", "Ingress"] as const).flatMap(direction => {
    const own = needed.filter(edge =>
      names.includes(edge.split(" → ")[direction === "Egress" ? 0 : 1]!.split(":")[0]!),
    );
    const allowed = networkEdges(manifests, direction).filter(edge => !isOfMesh(edge));
    return differences(direction, own, allowed);
  });
}

function differences(what: string, needed: readonly string[], allowed: readonly string[]): string[] {
  return [
    ...allowed.filter(edge => !needed.includes(edge)).map(edge => `${what}: ${edge} is allowed, and nothing needs it`),
    ...needed.filter(edge => !allowed.includes(edge)).map(edge => `${what}: ${edge} is needed, and not allowed`),
  ];
}

// ---- the mesh

const isInSidecarMesh = (manifests: readonly Manifest[]): boolean =>
  ofKind(manifests, "Namespace").some(({ metadata }) => metadata.labels?.["istio-injection"] === "enabled");
const isInMesh = (manifests: readonly Manifest[]): boolean =>
  isInSidecarMesh(manifests) ||
  ofKind(manifests, "Namespace").some(({ metadata }) => metadata.labels?.["istio.io/dataplane-mode"] === "ambient");

/** All edges into the namespace's pods that the AuthorizationPolicies allow. A pod that none selects may be reached by anyone. */
export function authorizedEdges(manifests: readonly Manifest[]): string[] {
  const pods = podsOf(manifests);
  const policies = ofKind(manifests, "AuthorizationPolicy");
  const found = pods.flatMap(({ name, labels }) => {
    const own = policies.filter(({ spec }) => isSelected(spec.selector ?? {}, labels));
    if (own.length === 0) return [`anyone → ${name}:any`];
    const rules: any[] = own.flatMap(({ spec }) => spec.rules ?? []);
    return rules.flatMap(({ from = [{ source: {} }], to = [{ operation: {} }] }) =>
      from.flatMap(({ source }: any) =>
        callersOf(source, pods).flatMap(caller =>
          to.flatMap(({ operation }: any) =>
            (operation.ports ?? ["any"]).map((port: string) => `${caller} → ${name}:${port}`),
          ),
        ),
      ),
    );
  });
  return [...new Set(found)].toSorted((a, b) => a.localeCompare(b));
}
function callersOf({ serviceAccounts, namespaces }: any, pods: readonly Pods[]): string[] {
  if (serviceAccounts)
    return serviceAccounts.map((account: string) => pods.find(one => one.account === account)?.name ?? account);
  return namespaces ?? ["anyone"];
}

/** Namespaces whose pods are in no mesh: they reach ports that the mesh leaves alone. */
const OUTSIDE_THE_MESH = ["monitoring", "cnpg-system"];

/** Edges that the AuthorizationPolicies allow too much or too little; nothing where there is no mesh. */
export function authorizationIsAsNeeded(manifests: readonly Manifest[]): string[] {
  if (!isInMesh(manifests)) return [];
  const pods = podsOf(manifests);
  const incoming = neededEdges(manifests).filter(edge => pods.some(({ name }) => targetOf(edge)[0] === name));
  const plain = incoming.filter(edge => OUTSIDE_THE_MESH.includes(sourceOf(edge)));
  const proven = incoming.filter(edge => !plain.includes(edge));
  const unproven = plain.map(edge => `anyone → ${targetOf(edge).join(":")}`);
  const allowed = authorizedEdges(manifests);
  const wrong = differences("mesh", isInSidecarMesh(manifests) ? proven : [...proven, ...unproven], allowed);
  return [...wrong, ...plain.filter(edge => !isPlain(edge, pods, manifests)).map(edge => `${edge} needs a plain port`)];
}

/** Whether the port of an edge is left alone by the sidecar, or takes plain connections in ambient. */
function isPlain(edge: string, pods: readonly Pods[], manifests: readonly Manifest[]): boolean {
  const [name, port] = targetOf(edge);
  const { labels } = pods.find(one => one.name === name)!;
  if (!isInSidecarMesh(manifests))
    return ofKind(manifests, "PeerAuthentication").some(
      ({ spec }) =>
        spec.selector && isSelected(spec.selector, labels) && spec.portLevelMtls?.[port]?.mode === "PERMISSIVE",
    );
  const annotations = [
    ...workloadsOf(manifests)
      .filter(one => one.labels[NAME] === name)
      .map(one => one.manifest.spec.template.metadata.annotations),
    ...ofKind(manifests, "Cluster")
      .filter(one => labels["cnpg.io/cluster"] === one.metadata.name)
      .map(one => one.spec.inheritedMetadata.annotations),
  ];
  return annotations.every(one => one?.["traffic.sidecar.istio.io/excludeInboundPorts"] === port);
}

const sourceOf = (edge: string): string => edge.split(" → ")[0]!;
const targetOf = (edge: string): [name: string, port: string] => edge.split(" → ")[1]!.split(":") as [string, string];

/** Servers outside of the cluster that our code connects to and that have a name here: `mail.example.com:465`. */
export function namedServersOutside(manifests: readonly Manifest[]): string[] {
  const found = oursOf(manifests)
    .flatMap(({ servers }) => servers)
    .filter(server => placeOf(server, manifests).startsWith("internet:"));
  return [
    ...new Set(found.filter(({ host }) => host !== ANYTHING.host).map(({ host, port }) => `${host}:${port}`)),
  ].toSorted();
}
/** Names of pods that connect to servers which users name. */
export const callersOfAnything = (manifests: readonly Manifest[]): string[] =>
  oursOf(manifests)
    .filter(({ servers }) => servers.some(({ host }) => host === ANYTHING.host))
    .map(({ name }) => name);
