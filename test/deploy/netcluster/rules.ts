// The firewall of the cluster as nftables has it: what the Services lead to, and which connections the NetworkPolicies allow. All
// traffic between pods passes one router, as it passes the host in a cluster, so a pod cannot get around it. Pure.
//
//   prerouting   an address of a Service becomes the address of one of its ready pods, in turn (kube-proxy)
//   egress       a pod that a policy isolates reaches what its policies name
//   ingress      and is reached by those that its policies name
//
// A connection that is not allowed is refused by an ICMP message of its own kind, which a program sees as EHOSTUNREACH, and is
// noted in the set `refused`; one that is allowed is noted in `used`. Replies belong to their connection.
import { isSelected, type Direction } from "../edges.ts";
import { ofKind } from "../workloads.ts";
import type { Manifest } from "../manifests.ts";

/** A pod of any namespace, or a host outside. */
export interface Endpoint {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly address: string;
  /** Ports of its containers by name. */
  readonly ports: Readonly<Record<string, number>>;
}
export interface ServiceAddress {
  readonly name: string;
  readonly address: string;
  readonly ports: readonly { readonly port: number; readonly target: number; readonly protocol: string }[];
  /** Addresses of its ready pods. */
  readonly endpoints: readonly string[];
}

/** Addresses of Services, as kubeadm has them. */
export const SERVICE_NETWORK = "10.96.0.0/12";
const TABLE = "ip cluster";
/** What a connection is noted as: source, destination, protocol, port. */
const NOTE = "{ ip saddr . ip daddr . meta l4proto . th dport }";

/** The commands that make these rules, in place of those that are there; what was noted stays. */
export function ruleset(
  manifests: readonly Manifest[],
  namespace: string,
  pods: readonly Endpoint[],
  services: readonly ServiceAddress[],
): string {
  const policies = ofKind(manifests, "NetworkPolicy");
  return [
    `add table ${TABLE}`,
    ...["used", "refused"].map(
      set =>
        `add set ${TABLE} ${set} { type ipv4_addr . ipv4_addr . inet_proto . inet_service; flags dynamic; size 65535; }`,
    ),
    `add chain ${TABLE} services { type nat hook prerouting priority dstnat; }`,
    `add chain ${TABLE} forward { type filter hook forward priority filter; policy drop; }`,
    ...["egress", "ingress"].map(chain => `add chain ${TABLE} ${chain}`),
    ...["services", "forward", "egress", "ingress"].map(chain => `flush chain ${TABLE} ${chain}`),
    ...services.flatMap(serviceRules),
    `add rule ${TABLE} forward ct state established,related accept`,
    // A Service without a ready pod.
    `add rule ${TABLE} forward ip daddr ${SERVICE_NETWORK} reject with icmp port-unreachable`,
    `add rule ${TABLE} forward jump egress`,
    `add rule ${TABLE} forward jump ingress`,
    `add rule ${TABLE} forward update @used ${NOTE} accept`,
    ...(["Egress", "Ingress"] as const).flatMap(direction =>
      pods
        .filter(pod => pod.namespace === namespace)
        .flatMap(pod => podRules(direction, pod, policies, pods, namespace)),
    ),
    "",
  ].join("\n");
}

function serviceRules({ address, ports, endpoints }: ServiceAddress): string[] {
  if (endpoints.length === 0) return [];
  const inTurn = `numgen inc mod ${endpoints.length} map { ${endpoints.map((one, i) => `${i} : ${one}`).join(", ")} }`;
  return ports.map(({ port, target, protocol }) => {
    const to = endpoints.length === 1 ? endpoints[0] : inTurn;
    return `add rule ${TABLE} services ip daddr ${address} ${protocol} dport ${port} dnat to ${to}:${target}`;
  });
}

/** A pod that no policy of the direction selects may do anything. */
function podRules(
  direction: Direction,
  pod: Endpoint,
  policies: readonly Manifest[],
  pods: readonly Endpoint[],
  namespace: string,
): string[] {
  const own = policies.filter(
    ({ spec }) => spec.policyTypes.includes(direction) && isSelected(spec.podSelector, pod.labels),
  );
  if (own.length === 0) return [];
  const chain = direction.toLowerCase();
  const [self, other] = direction === "Egress" ? (["saddr", "daddr"] as const) : (["daddr", "saddr"] as const);
  const add = (rest: string): string => `add rule ${TABLE} ${chain} ip ${self} ${pod.address} ${rest}`;
  const allowed = own
    .flatMap(({ spec }) => (spec[chain] ?? []) as any[])
    .flatMap(rule => {
      const peers: any[] = (direction === "Egress" ? rule.to : rule.from) ?? [{}];
      return peers.flatMap(peer => {
        const from = peerMatch(peer, other, pods, namespace);
        return from === undefined ? [] : portMatches(rule.ports, pod).map(port => add(`${from} ${port} return`));
      });
    });
  return [...allowed, add(`update @refused ${NOTE} reject with icmp admin-prohibited`)];
}

/** The match of a peer; undefined where no pod is one. */
function peerMatch(
  { podSelector, namespaceSelector, ipBlock }: any,
  side: string,
  pods: readonly Endpoint[],
  namespace: string,
): string | undefined {
  if (ipBlock) {
    const { cidr, except = [] } = ipBlock;
    return `ip ${side} ${cidr}${except.length > 0 ? ` ip ${side} != { ${except.join(", ")} }` : ""}`;
  }
  if (!podSelector && !namespaceSelector) return "";
  const peers = pods.filter(
    one =>
      (namespaceSelector
        ? isSelected(namespaceSelector, { "kubernetes.io/metadata.name": one.namespace })
        : one.namespace === namespace) && isSelected(podSelector ?? {}, one.labels),
  );
  return peers.length === 0 ? undefined : `ip ${side} { ${peers.map(({ address }) => address).join(", ")} }`;
}

function portMatches(ports: readonly any[] | undefined, { ports: named }: Endpoint): string[] {
  if (ports === undefined) return [""];
  return ports.map(({ port, endPort, protocol = "TCP" }) => {
    const number = typeof port === "string" ? named[port] : port;
    if (number === undefined) throw new Error(`a policy names the port ${port}, which the pod does not have`);
    return `${protocol.toLowerCase()} dport ${number}${endPort ? `-${endPort}` : ""}`;
  });
}
