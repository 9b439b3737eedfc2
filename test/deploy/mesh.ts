// Rules for what the mesh does with requests and names. Each is a function that answers sentences, none when all is well or there
// is no mesh.
import { gatewayEnvironment, type Route } from "@valence/runtime/gateway";
import { nodeEnvironment, readEnvironment } from "@valence/runtime/kernel";
import { routes } from "../../services/api/routes/index.ts";
import { callersOfAnything, isSelected, namedServersOutside } from "./edges.ts";
import { idOf, type Manifest } from "./manifests.ts";
import { ofKind, workloadsOf } from "./workloads.ts";

const { REQUEST_TIMEOUT_MS } = nodeEnvironment.of(readEnvironment({}));
const { KEEP_ALIVE_MS } = gatewayEnvironment.of(readEnvironment({}));

/** Every route of the gateway gets time enough, streams of events without end, and none but reads is sent twice. */
export function routesAreServed(manifests: readonly Manifest[]): string[] {
  return ofKind(manifests, "VirtualService").flatMap(({ spec }) => [
    ...routes.flatMap(route => wrongOf(route, spec.http)),
    ...spec.http.flatMap((rule: any) => (rule.retries ? [] : [`${rule.name}: two repeats are the mesh's default`])),
  ]);
}

function wrongOf({ method, url, target }: Route, rules: readonly any[]): string[] {
  const path = url.replaceAll(/:\w+/g, "some");
  const rule = rules.find(({ match }) => !match || match.some((one: any) => isMatched(one, method, path)));
  if (!rule) return [`${method} ${url} goes nowhere`];
  const seconds = Number.parseFloat(rule.timeout ?? "0");
  const isRepeated = rule.retries?.attempts !== 0;
  return [
    ...("stream" in target && seconds !== 0 ? [`${method} ${url} is cut after ${seconds} s`] : []),
    ...(!("stream" in target) && seconds * 1_000 <= REQUEST_TIMEOUT_MS
      ? [`${method} ${url} has ${seconds} s, and the gateway answers after ${REQUEST_TIMEOUT_MS} ms`]
      : []),
    ...(isRepeated && method !== "GET" ? [`${method} ${url} may be sent twice`] : []),
    ...(isRepeated && /5xx|gateway-error|retriable/.test(rule.retries?.retryOn ?? "5xx")
      ? [`${rule.name} repeats what the gateway has answered`]
      : []),
  ];
}
/** A match by headers is for the few that send them. */
function isMatched({ method, uri, headers }: any, ofRoute: string, path: string): boolean {
  const fits = (matcher: any, text: string): boolean =>
    !matcher ||
    matcher.exact === text ||
    (matcher.prefix !== undefined && text.startsWith(matcher.prefix)) ||
    (matcher.regex !== undefined && new RegExp(`^(?:${matcher.regex})$`).test(text));
  return !headers && fits(method, ofRoute) && fits(uri, path);
}

/** Rules lead to Services and subsets that are there, by weights that make a whole. */
export function destinationsExist(manifests: readonly Manifest[]): string[] {
  const services = ofKind(manifests, "Service").map(({ metadata }) => metadata.name);
  const subsets = ofKind(manifests, "DestinationRule").flatMap(({ spec }) =>
    (spec.subsets ?? []).map(({ name, labels }: any) => ({ name: `${spec.host}/${name}`, labels })),
  );
  const empty = subsets
    .filter(
      ({ labels }) => !workloadsOf(manifests).some(workload => isSelected({ matchLabels: labels }, workload.labels)),
    )
    .map(({ name }) => `the subset ${name} selects no pod`);
  const wrong = ofKind(manifests, "VirtualService").flatMap(({ spec }) =>
    spec.http.flatMap(({ name, route, mirrors = [] }: any) => [
      ...[...route, ...mirrors]
        .map(({ destination }: any) => destination)
        .filter(
          ({ host, subset }) => !services.includes(host) || !subsets.some(one => one.name === `${host}/${subset}`),
        )
        .map(({ host, subset }) => `${name} leads to ${host}/${subset}, which is not there`),
      ...(route.length === 1 || route.reduce((sum: number, one: any) => sum + one.weight, 0) === 100
        ? []
        : [`the weights of ${name} are no whole`]),
    ]),
  );
  return [...empty, ...wrong];
}

/** A proxy closes idle connections before the gateway does: else it sends into one that is being closed. */
export function proxiesCloseFirst(manifests: readonly Manifest[]): string[] {
  return ofKind(manifests, "DestinationRule")
    .filter(({ spec }) => spec.host === "gateway")
    .filter(
      ({ spec }) => !(Number.parseFloat(spec.trafficPolicy?.connectionPool?.http?.idleTimeout) * 1_000 < KEEP_ALIVE_MS),
    )
    .map(one => `${idOf(one)} keeps idle connections for longer than the gateway, ${KEEP_ALIVE_MS} ms`);
}

/** A server that speaks first, or whose errors are of others, must not be left out for them. */
export function nobodyIsLeftOutForOthers(manifests: readonly Manifest[]): string[] {
  return ofKind(manifests, "DestinationRule").flatMap(one => {
    const outliers = one.spec.trafficPolicy?.outlierDetection;
    if (!outliers) return [];
    if (one.spec.host !== "gateway") return [`${idOf(one)} may leave out the only one`];
    return outliers.consecutive5xxErrors === 0 && outliers.consecutiveGatewayErrors === 0
      ? []
      : [`${idOf(one)} leaves gateways out for errors of the services behind all of them`];
  });
}

/** The mesh knows every server outside that our code connects to, and no other; only those that call servers which users name may call anything. */
export function serversOutsideAreNamed(manifests: readonly Manifest[]): string[] {
  const entries = ofKind(manifests, "ServiceEntry").flatMap(({ spec }) =>
    spec.hosts.flatMap((host: string) => spec.ports.map(({ number }: any) => `${host}:${number}`)),
  );
  if (entries.length === 0) return [];
  const needed = namedServersOutside(manifests);
  const open = ofKind(manifests, "Sidecar")
    .filter(({ spec }) => spec.outboundTrafficPolicy?.mode !== "REGISTRY_ONLY")
    .map(({ spec }) => spec.workloadSelector?.labels ?? {})
    // Pods that CloudNativePG makes ask the API server, and the store of backups.
    .filter(labels => !("cnpg.io/cluster" in labels || "cnpg.io/poolerName" in labels))
    .map(labels => labels["app.kubernetes.io/name"] ?? "everyone");
  const callers = callersOfAnything(manifests);
  const hasSidecars = ofKind(manifests, "Sidecar").length > 0;
  return [
    ...needed.filter(server => !entries.includes(server)).map(server => `no ServiceEntry has ${server}`),
    ...entries.filter(server => !needed.includes(server)).map(server => `nothing connects to ${server}`),
    ...open.filter(name => !callers.includes(name)).map(name => `${name} may call anything`),
    ...callers
      .filter(name => hasSidecars && !open.includes(name))
      .map(name => `${name} reaches no server that users name`),
  ];
}
