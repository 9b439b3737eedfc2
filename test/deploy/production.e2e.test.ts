// The overlays for clusters that serve customers, as far as they can be checked without a cluster: rendered once, each mistake is
// made in memory.
import { beforeAll, describe, expect, test } from "@jest/globals";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parse } from "yaml";
import type { Contract } from "@valence/runtime/contract";
import { declaredIn } from "../../mixins/cli/declared.ts";
import { serviceNames } from "../../mixins/operations/services.ts";
import { CONNECTIONS, connectionsOf, openers, OTHER_OPENERS } from "./connections.ts";
import { authorizationIsAsNeeded, neededEdges, networkIsAsNeeded } from "./edges.ts";
import { LEFT_OUT } from "./left-out.ts";
import { broken as brokenCopy, hasKubectl, render, renderWith, ROOT, type Manifest } from "./manifests.ts";
import * as mesh from "./mesh.ts";
import * as policies from "./policies.ts";
import * as scaling from "./scaling.ts";
import { unknownFields, wrongValues } from "./schema.ts";
import { containersOf, isOurs, nodesOf, variablesOf, workloadsOf } from "./workloads.ts";

const services = serviceNames("services");
const OVERLAYS = ["production-base", "production", "production-ambient", "staging"];
/** Components that no overlay has, beside production. */
const MORE = [
  "kafka",
  "network-policies/kafka",
  "postgres-cnpg/pooler",
  "network-policies/postgres-pooler",
  "istio/postgres-pooler",
  "istio/mirror",
].map(name => `k8s/components/${name}`);
const WITH_MORE = "production with Kafka, a pooler and a mirror";

describe("connections of the code", () => {
  const connectors = Object.values(CONNECTIONS).flatMap(one => one.connectors.map(path => path.split("#")[0]!));
  test("every module that opens one is known, and does so", () => {
    expect(openers().toSorted()).toEqual([...new Set([...connectors, ...Object.keys(OTHER_OPENERS)])].toSorted());
  });
  test("services have those that their code leads to, through doors too", () => {
    const of = (service: string) => connectionsOf([`services/${service}/${service}.service.ts`]);
    expect(of("payments")).toContain("provider");
    expect(of("integrations")).toContain("webhooks");
    expect(of("notifications")).toContain("mail");
    expect(of("orders")).toEqual(["nats", "postgres", "kafka"]);
    expect(of("api")).toEqual(["redis", "images"]);
    expect(of("catalog")).toContain("cdn");
  });
});

// Only kubectl renders the manifests: without it there is nothing to check.
const describeRendered = hasKubectl() ? describe : describe.skip;

describeRendered("rendered by kubectl (skipped where there is none)", () => {
  /** The Secrets that an overlay brings with them. */
  const SECRETS = `secretGenerator:
  - { name: kafka, namespace: valence, literals: ["brokers=kafka-0.brokers.kafka.svc:9093", user=valence, password=valence, ca.crt=text] }
  - { name: postgres-orders, namespace: valence, literals: [username=orders, password=valence] }
patches:
  - target: { kind: ExternalSecret, name: valence }
    patch: |-
      - op: add
        path: /spec/target/template/data/ORDERS_DATABASE_URL
        value: "postgres://orders:{{ .postgresOrders }}@postgres-pooler:5432/valence?pgbouncer=true"
`;
  const rendered: Record<string, Manifest[]> = {};
  beforeAll(() => {
    for (const overlay of OVERLAYS) rendered[overlay] = render(`k8s/overlays/${overlay}`);
    rendered[WITH_MORE] = renderWith("k8s/overlays/production", MORE, SECRETS);
  });

  const rules = [
    ...Object.values(policies),
    ...Object.values(mesh),
    ...Object.values(scaling),
    networkIsAsNeeded,
    authorizationIsAsNeeded,
  ];
  describe.each([...OVERLAYS, WITH_MORE])("%s", name => {
    test.each(rules.map(rule => [rule.name, rule] as const))("%s", (_name, rule) =>
      expect(rule(rendered[name]!)).toEqual([]),
    );
  });
  test("Kubernetes and the operators take all of them, and know each field", async () => {
    // The overlays have most objects in common.
    const all = [
      ...new Map(
        Object.values(rendered)
          .flat()
          .map(one => [JSON.stringify(one), one]),
      ).values(),
    ];
    expect(await wrongValues(all)).toEqual([]);
    expect(await unknownFields(all)).toEqual([]);
  });
  test("every component is in one of them, or in another overlay that is checked", () => {
    const found = new Set<string>();
    const visit = (folder: string): void => {
      if (found.has(folder) || !existsSync(join(ROOT, folder, "kustomization.yaml"))) return;
      found.add(folder);
      const { resources = [], components = [] } = parse(readFileSync(join(ROOT, folder, "kustomization.yaml"), "utf8"));
      for (const path of [...resources, ...components]) visit(join(folder, path));
    };
    for (const overlay of [...OVERLAYS, "kafka", "monitored", "cdn"]) visit(`k8s/overlays/${overlay}`);
    for (const component of MORE) visit(component);
    const all = globSync("k8s/**/kustomization.yaml", { cwd: ROOT }).map(dirname);
    expect(all.filter(folder => !found.has(folder))).toEqual([]);
  });

  test("each variable that the code reads is set, or left out for a reason", async () => {
    const { declarations } = await declaredIn("services", services);
    const production = rendered["production"]!;
    const containers = workloadsOf(production).flatMap(workload => containersOf(workload).filter(isOurs));
    const set = new Set(containers.flatMap(one => variablesOf(one, production)).map(({ name }) => name));
    const read = new Set(declarations.flatMap(({ variables }) => Object.keys(variables)));
    expect([...read].filter(name => !set.has(name) && !LEFT_OUT.has(name))).toEqual([]);
    expect([...LEFT_OUT.keys()].filter(name => set.has(name) || !read.has(name))).toEqual([]);
  });

  test("the canary is the gateway, but for its name, its image and its track", () => {
    const [stable, canary] = ["gateway", "gateway-canary"].map(name => {
      const one = structuredClone(
        rendered["production"]!.find(({ kind, metadata }) => kind === "Deployment" && metadata.name === name)!,
      );
      delete one.spec.selector.matchLabels.track;
      delete one.spec.template.metadata.labels.track;
      const { replicas: _replicas, ...spec } = one.spec;
      return spec;
    });
    expect(canary).toEqual(stable);
  });

  test("three values make another installation", () => {
    const text = (name: string) => JSON.stringify(rendered[name]);
    for (const value of ["shop.example.com", "payments.example.com", "mail.example.com"])
      expect(
        text("production").split(`"${value}`).length + text("production").split(`/${value}`).length,
      ).toBeGreaterThan(2);
    // In staging nothing is left of production's.
    expect(text("staging").match(/[^.\w](?:shop|payments|mail)\.example\.com/g)).toBeNull();
  });

  test("calls that a contract lets other groups make go by NATS, and by nothing else", async () => {
    const production = rendered["production"]!;
    const needed = neededEdges(production);
    const groups = new Map(
      nodesOf(production).flatMap(({ workload, runs }) =>
        runs.map(name => [name, workload.labels["app.kubernetes.io/name"]!] as const),
      ),
    );
    let crossing = 0;
    for (const service of services) {
      const path = join(ROOT, "services", service, "contract.ts");
      const { contract } = (await import(path).catch(() => ({}))) as { contract?: Contract };
      for (const caller of Object.keys(contract?.callers ?? {})) {
        const [from, to] = [groups.get(caller), groups.get(service)];
        if (from === to) continue;
        crossing++;
        expect(needed).toEqual(expect.arrayContaining([`${from} → nats:4222`, `${to} → nats:4222`]));
        expect(needed.filter(edge => edge.startsWith(`${from} → ${to}:`))).toEqual([]);
      }
    }
    expect(crossing).toBeGreaterThanOrEqual(5);
  });

  const broken = (
    kind: string,
    name: RegExp,
    spoil: Parameters<typeof brokenCopy>[3],
    from = "production",
  ): Manifest[] => brokenCopy(rendered[from]!, kind, name, spoil);
  const pod = ({ spec }: Manifest) => spec.template.spec;
  const variable = (manifest: Manifest, name: string) =>
    pod(manifest).containers[0].env.find((one: any) => one.name === name);
  const http = ({ spec }: Manifest, name: string) => spec.http.find((rule: any) => rule.name === name);
  const drop = (all: Manifest[], one: Manifest) => void all.splice(all.indexOf(one), 1);

  const cases: [(manifests: Manifest[]) => string[], string, () => Manifest[]][] = [
    [
      networkIsAsNeeded,
      "a port more",
      () => broken("NetworkPolicy", /^nats$/, one => one.spec.ingress[0].ports.push({ protocol: "TCP", port: 8222 })),
    ],
    [
      networkIsAsNeeded,
      "a client more",
      () =>
        broken("NetworkPolicy", /^to-redis$/, one => one.spec.podSelector.matchExpressions[0].values.push("migrate")),
    ],
    [
      networkIsAsNeeded,
      "a client less",
      () =>
        broken("NetworkPolicy", /^postgres$/, one =>
          one.spec.ingress[0].from[0].podSelector.matchExpressions[0].values.pop(),
        ),
    ],
    [
      networkIsAsNeeded,
      "a group that reaches another",
      () =>
        broken("NetworkPolicy", /^to-redis$/, one =>
          one.spec.egress[0].to.push({ podSelector: { matchLabels: { "app.kubernetes.io/name": "core" } } }),
        ),
    ],
    [
      networkIsAsNeeded,
      "the whole internet and the cluster",
      () => broken("NetworkPolicy", /^to-outside$/, one => one.spec.egress[0].to[0].ipBlock.except.pop()),
    ],
    [
      networkIsAsNeeded,
      "all ports",
      () => broken("NetworkPolicy", /^gateway$/, one => delete one.spec.ingress[0].ports),
    ],
    [
      networkIsAsNeeded,
      "every namespace",
      () => broken("NetworkPolicy", /^gateway$/, one => (one.spec.ingress[0].from[0].namespaceSelector = {})),
    ],
    [
      networkIsAsNeeded,
      "no default",
      () =>
        broken("NetworkPolicy", /^default-deny$/, (one, all) => {
          drop(all, one);
          drop(
            all,
            all.find(({ kind, metadata }) => kind === "NetworkPolicy" && metadata.name === "postgres")!,
          );
          drop(
            all,
            all.find(({ metadata }) => metadata.name === "postgres-instances")!,
          );
        }),
    ],
    [
      networkIsAsNeeded,
      "no names",
      () => broken("NetworkPolicy", /^dns$/, (one, all) => drop(all, one), "production-base"),
    ],
    [
      networkIsAsNeeded,
      "no sagas at Kafka",
      () =>
        broken(
          "NetworkPolicy",
          /^to-kafka$/,
          one => one.spec.podSelector.matchExpressions[0].values.splice(2, 1),
          WITH_MORE,
        ),
    ],
    [
      networkIsAsNeeded,
      "a pooler that a saga reaches",
      () =>
        broken(
          "NetworkPolicy",
          /^postgres-pooler$/,
          one => one.spec.ingress[0].from[0].podSelector.matchExpressions[0].values.push("sagas"),
          WITH_MORE,
        ),
    ],
    [
      networkIsAsNeeded,
      "a server more that the code is given",
      () =>
        broken(
          "ExternalSecret",
          /^valence$/,
          one => (one.spec.target.template.data.SMTP_URL = "smtp://mail.example.com:2525"),
        ),
    ],
    [
      authorizationIsAsNeeded,
      "a client more",
      () =>
        broken("AuthorizationPolicy", /^redis$/, one =>
          one.spec.rules[0].from[0].source.serviceAccounts.push("migrate"),
        ),
    ],
    [
      authorizationIsAsNeeded,
      "a client less",
      () => broken("AuthorizationPolicy", /^nats$/, one => one.spec.rules[0].from[0].source.serviceAccounts.pop()),
    ],
    [
      authorizationIsAsNeeded,
      "a port more",
      () => broken("AuthorizationPolicy", /^postgres$/, one => one.spec.rules[0].to[0].operation.ports.push("8000")),
    ],
    [
      authorizationIsAsNeeded,
      "anyone",
      () => broken("AuthorizationPolicy", /^gateway$/, one => delete one.spec.rules[0].from),
    ],
    [
      authorizationIsAsNeeded,
      "all ports",
      () => broken("AuthorizationPolicy", /^nats$/, one => delete one.spec.rules[1].to),
    ],
    [
      authorizationIsAsNeeded,
      "metrics that nobody reads",
      () => broken("PeerAuthentication", /^core-health$/, (one, all) => drop(all, one), "production-ambient"),
    ],
    [
      authorizationIsAsNeeded,
      "a health port behind the proxy",
      () => broken("Deployment", /^core$/, one => delete one.spec.template.metadata.annotations),
    ],
    [
      mesh.routesAreServed,
      "streams that are cut",
      () => broken("VirtualService", /gateway/, one => one.spec.http.shift()),
    ],
    [
      mesh.routesAreServed,
      "a time-out before the gateway's",
      () => broken("VirtualService", /gateway/, one => (http(one, "changes").timeout = "5s")),
    ],
    [
      mesh.routesAreServed,
      "changes sent twice",
      () =>
        broken("VirtualService", /gateway/, one => (http(one, "changes").retries = { attempts: 1, retryOn: "reset" })),
    ],
    [
      mesh.routesAreServed,
      "the mesh's own repeats",
      () => broken("VirtualService", /gateway/, one => delete http(one, "changes").retries),
    ],
    [
      mesh.routesAreServed,
      "answers that are repeated",
      () => broken("VirtualService", /gateway/, one => (http(one, "reads").retries.retryOn = "5xx")),
    ],
    [
      mesh.routesAreServed,
      "changes that go nowhere",
      () => broken("VirtualService", /gateway/, one => one.spec.http.pop()),
    ],
    [
      mesh.destinationsExist,
      "a subset",
      () => broken("VirtualService", /gateway/, one => (http(one, "canary").route[0].destination.subset = "next")),
    ],
    [
      mesh.destinationsExist,
      "a Service",
      () => broken("VirtualService", /gateway/, one => (http(one, "canary").route[0].destination.host = "gateways")),
    ],
    [
      mesh.destinationsExist,
      "weights",
      () => broken("VirtualService", /gateway/, one => (http(one, "reads").route[0].weight = 95)),
    ],
    [
      mesh.destinationsExist,
      "pods",
      () => broken("DestinationRule", /^gateway$/, one => (one.spec.subsets[1].labels.track = "next")),
    ],
    [
      mesh.proxiesCloseFirst,
      "a longer idle time",
      () =>
        broken("DestinationRule", /^gateway$/, one => (one.spec.trafficPolicy.connectionPool.http.idleTimeout = "90s")),
    ],
    [
      mesh.nobodyIsLeftOutForOthers,
      "NATS",
      () => broken("DestinationRule", /^nats$/, one => (one.spec.trafficPolicy.outlierDetection = { interval: "5s" })),
    ],
    [
      mesh.nobodyIsLeftOutForOthers,
      "gateways",
      () =>
        broken(
          "DestinationRule",
          /^gateway$/,
          one => (one.spec.trafficPolicy.outlierDetection.consecutive5xxErrors = 5),
        ),
    ],
    [
      mesh.serversOutsideAreNamed,
      "another provider",
      () => broken("ConfigMap", /^valence/, one => (one.data!["PAYMENT_PROVIDER_URL"] = "https://pay.example.com")),
    ],
    [
      mesh.serversOutsideAreNamed,
      "a name too many",
      () => broken("ServiceEntry", /^mail$/, one => one.spec.hosts.push("ftp.example.com")),
    ],
    [mesh.serversOutsideAreNamed, "no webhooks", () => broken("Sidecar", /^core$/, (one, all) => drop(all, one))],
    [mesh.serversOutsideAreNamed, "no images", () => broken("Sidecar", /^gateway$/, (one, all) => drop(all, one))],
    [
      mesh.serversOutsideAreNamed,
      "everyone calls anything",
      () => broken("Sidecar", /^default$/, one => (one.spec.outboundTrafficPolicy.mode = "ALLOW_ANY")),
    ],
    [
      scaling.podsAreCountedOnce,
      "an autoscaler beside KEDA",
      () =>
        broken("ScaledObject", /^core$/, (_one, all) =>
          all.push({
            apiVersion: "autoscaling/v2",
            kind: "HorizontalPodAutoscaler",
            metadata: { name: "core" },
            spec: { scaleTargetRef: { name: "core" } },
          }),
        ),
    ],
    [
      scaling.podsAreCountedOnce,
      "replicas beside KEDA",
      () => broken("Deployment", /^sagas$/, one => (one.spec.replicas = 2)),
    ],
    [
      scaling.triggersWork,
      "a misspelt field",
      () => broken("ScaledObject", /^core$/, one => (one.spec.triggers[1].metadata.treshold = "1")),
    ],
    [
      scaling.triggersWork,
      "a number",
      () => broken("ScaledObject", /^core$/, one => (one.spec.triggers[1].metadata.threshold = 128)),
    ],
    [
      scaling.triggersWork,
      "a series that is not there",
      () => broken("ScaledObject", /^core$/, one => (one.spec.triggers[1].metadata.query = "sum(valence_mailbox)")),
    ],
    [scaling.boundsFit, "one pod", () => broken("ScaledObject", /^gateway$/, one => (one.spec.minReplicaCount = 1))],
    [
      scaling.boundsFit,
      "more pods than partitions",
      () => broken("ScaledObject", /^sagas$/, one => (one.spec.maxReplicaCount = 17)),
    ],
    [
      scaling.boundsFit,
      "more connections than there are",
      () => broken("ScaledObject", /^core$/, one => (one.spec.maxReplicaCount = 8)),
    ],
    [
      scaling.budgetsLeaveEnough,
      "NATS",
      () => broken("PodDisruptionBudget", /^nats$/, one => (one.spec.maxUnavailable = 2)),
    ],
    [
      scaling.budgetsLeaveEnough,
      "no budget",
      () => broken("PodDisruptionBudget", /^sagas$/, (one, all) => drop(all, one)),
    ],
    [scaling.budgetsLeaveEnough, "the standby", () => broken("Cluster", /^postgres$/, one => (one.spec.instances = 2))],
    [
      policies.referencesExist,
      "a scaled Deployment",
      () => broken("ScaledObject", /^core$/, one => (one.spec.scaleTargetRef.name = "cores")),
    ],
    [
      policies.referencesExist,
      "a key of the store",
      () => broken("ExternalSecret", /^valence$/, one => delete one.spec.target.template.data.DATABASE_URL),
    ],
    [
      policies.referencesExist,
      "a certificate",
      () => broken("Certificate", /^nats-client$/, one => (one.spec.secretName = "nats-tls")),
    ],
    [
      policies.environmentIsRead,
      "a form of the store's",
      () =>
        broken(
          "ExternalSecret",
          /^valence$/,
          one => (one.spec.target.template.data.REDIS_URL = "{{ .redis }}@redis:6379"),
        ),
    ],
    [
      policies.nothingIsKeptInAPod,
      "a missing variable",
      () => broken("Deployment", /^sagas$/, one => void (variable(one, "DATABASE_URL").name = "SQL_URL")),
    ],
    [
      policies.selectorsMatch,
      "a wrong selector",
      () => broken("Deployment", /^gateway$/, one => (one.spec.selector.matchLabels.track = "main")),
    ],
  ];
  test("every rule of these has something that breaks it", () => {
    const own = [...Object.values(mesh), ...Object.values(scaling), networkIsAsNeeded, authorizationIsAsNeeded];
    expect(own.filter(rule => !cases.some(([broke]) => broke === rule))).toEqual([]);
  });
  test.each(cases.map(([rule, what, make]) => [rule.name, what, rule, make] as const))(
    "%s finds: %s",
    (_name, _what, rule, make) => expect(rule(make())).not.toEqual([]),
  );

  test("a field that an operator does not know is found", async () => {
    const spoilt: [string, RegExp, (one: Manifest) => void][] = [
      ["VirtualService", /gateway/, one => (one.spec.http[0].rout = [])],
      ["AuthorizationPolicy", /^nats$/, one => (one.spec.rules[0].from[0].source.serviceAccount = ["core"])],
      ["ScaledObject", /^core$/, one => (one.spec.maxReplicas = 6)],
      ["Cluster", /^postgres$/, one => (one.spec.instance = 3)],
      ["ExternalSecret", /^redis$/, one => (one.spec.refresh = "1h")],
      ["Certificate", /^nats-server$/, one => (one.spec.dnsName = [])],
      ["NetworkPolicy", /^dns$/, one => (one.spec.egres = [])],
    ];
    const all = spoilt.map(([kind, name, spoil]) =>
      broken(kind, name, spoil).find(one => one.kind === kind && name.test(one.metadata.name))!,
    );
    const found = await unknownFields(all);
    for (const [kind] of spoilt) expect(found).toContainEqual(expect.stringMatching(new RegExp(`^${kind} `)));
  });
});
