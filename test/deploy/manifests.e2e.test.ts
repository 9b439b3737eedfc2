// The manifests, as far as they can be checked without a cluster.
import { beforeAll, describe, expect, test } from "@jest/globals";
import { execFileSync } from "node:child_process";
import { copyFileSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { program } from "@valence/runtime/testing/servers";
import { broken as brokenCopy, hasKubectl, manifestsOf, render, ROOT, type Manifest } from "./manifests.ts";
import * as policies from "./policies.ts";
import { unknownFields, wrongValues } from "./schema.ts";
import { variablesOf } from "./workloads.ts";

const FOLDERS = ["k8s/base", ...["local", "monitored", "kafka", "cdn"].map(name => `k8s/overlays/${name}`)];

test.each(globSync("k8s/**/*.yaml", { cwd: ROOT }))("%s is YAML", file => {
  expect(manifestsOf(readFileSync(join(ROOT, file), "utf8"))).not.toEqual([]);
});

test.each(globSync("k8s/**/nats.conf", { cwd: ROOT }))("%s is what a NATS server takes", file => {
  const server = program({ name: "nats-server", package: "nats-server" });
  const folder = mkdtempSync(join(tmpdir(), "nats-conf-"));
  // As they lie side by side in the ConfigMap; certificates are of the cluster.
  const conf = readFileSync(join(ROOT, file), "utf8").replaceAll(/^ *tls \{[^}]*\}/gm, "");
  writeFileSync(join(folder, "nats.conf"), conf);
  copyFileSync(join(ROOT, "k8s/base/nats-users.conf"), join(folder, "nats-users.conf"));
  const [nats] = manifestsOf(readFileSync(join(ROOT, "k8s/base/nats.yaml"), "utf8"));
  // The server would read a password that begins with a digit as a number.
  const roles = ["gateway", "core", "projections", "sagas", "migrate"];
  const data = Object.fromEntries(roles.map(role => [role, Buffer.from("4ef1").toString("base64")]));
  const secret = { apiVersion: "v1", kind: "Secret", metadata: { name: "nats" }, data };
  const variables = variablesOf(nats!.spec.template.spec.containers[0], [nats!, secret]);
  const env = Object.fromEntries(variables.map(({ name, value }) => [name, value!]));
  execFileSync(server, ["-t", "-c", join(folder, "nats.conf")], { env, stdio: "pipe" });
  rmSync(folder, { recursive: true });
});

// Only kubectl renders the manifests: without it there is nothing to check.
const describeRendered = hasKubectl() ? describe : describe.skip;

describeRendered("rendered by kubectl (skipped where there is none)", () => {
  const rendered = new Map<string, Manifest[]>();
  let local: Manifest[];
  beforeAll(() => {
    for (const folder of FOLDERS) rendered.set(folder, render(folder));
    local = rendered.get("k8s/overlays/local")!;
  });

  /** A copy of the local overlay with one mistake in it. */
  const broken = (kind: string, name: RegExp, spoil: Parameters<typeof brokenCopy>[3]): Manifest[] =>
    brokenCopy(local, kind, name, spoil);
  const pod = ({ spec }: Manifest) => spec.template.spec;
  const container = (manifest: Manifest) => pod(manifest).containers[0];
  const variable = (manifest: Manifest, name: string) => container(manifest).env.find((one: any) => one.name === name);

  describe.each(FOLDERS)("%s", folder => {
    test("is what Kubernetes takes", async () => {
      expect(await wrongValues(rendered.get(folder)!)).toEqual([]);
      expect(await unknownFields(rendered.get(folder)!)).toEqual([]);
    });
    test.each(
      Object.values(policies)
        // The base names Secrets that only an overlay defines.
        .filter(policy => folder !== "k8s/base" || policy !== policies.referencesExist)
        .map(policy => [policy.name, policy] as const),
    )("%s", (_name, policy) => expect(policy(rendered.get(folder)!)).toEqual([]));
  });

  test("a value of a wrong type, and a field that there is not, are found", async () => {
    const value = broken("Deployment", /core/, one => (one.spec.minReadySeconds = "soon"));
    expect(await wrongValues(value)).toEqual([expect.stringMatching(/^Deployment core: .*minReadySeconds/s)]);
    const field = broken("Deployment", /core/, one => (pod(one).terminationGraceSeconds = 40));
    expect(await wrongValues(field)).toEqual([]);
    expect(await unknownFields(field)).toEqual([expect.stringMatching(/^Deployment core: .*terminationGraceSeconds/)]);
    const kind = broken(
      "PodDisruptionBudget",
      /core/,
      one => ((one as { apiVersion: string }).apiVersion = "policy/v2"),
    );
    expect(await wrongValues(kind)).toEqual([expect.stringContaining("PodDisruptionBudget core")]);
  });

  const cases: [(manifests: Manifest[]) => string[], string, () => Manifest[]][] = [
    [
      policies.selectorsMatch,
      "a Deployment",
      () => broken("Deployment", /core/, one => (one.spec.selector.matchLabels = { app: "core" })),
    ],
    [policies.selectorsMatch, "a Service", () => broken("Service", /gateway/, one => (one.spec.selector = {}))],
    [
      policies.selectorsMatch,
      "a budget",
      () => broken("PodDisruptionBudget", /sagas/, one => (one.spec.selector.matchLabels = { app: "saga" })),
    ],
    [
      policies.referencesExist,
      "a key of a Secret",
      () =>
        broken("Deployment", /core/, one => (variable(one, "DATABASE_URL").valueFrom.secretKeyRef.key = "DATABASE")),
    ],
    [
      policies.referencesExist,
      "a ConfigMap",
      () => broken("Deployment", /core/, one => (container(one).envFrom[0].configMapRef.name = "valence")),
    ],
    [
      policies.referencesExist,
      "an account",
      () => broken("Deployment", /core/, one => (pod(one).serviceAccountName = "cores")),
    ],
    [
      policies.referencesExist,
      "what is scaled",
      () => broken("HorizontalPodAutoscaler", /core/, one => (one.spec.scaleTargetRef.name = "cores")),
    ],
    [
      policies.referencesExist,
      "a mounted ConfigMap",
      () => broken("StatefulSet", /nats/, one => (pod(one).volumes[0].configMap.name = "nats")),
    ],
    [
      policies.portsHaveNames,
      "a name twice",
      () => broken("Deployment", /gateway/, one => (container(one).ports[0].name = "http")),
    ],
    [
      policies.portsHaveNames,
      "a probe",
      () => broken("Deployment", /core/, one => (container(one).livenessProbe.httpGet.port = "http")),
    ],
    [
      policies.portsHaveNames,
      "a Service",
      () => broken("Service", /gateway/, one => (one.spec.ports[0].targetPort = "web")),
    ],
    [
      policies.serversThatSpeakFirst,
      "a Service",
      () => broken("Service", /^nats$/, one => (one.spec.ports[0].name = "nats")),
    ],
    [
      policies.serversThatSpeakFirst,
      "a container",
      () => broken("StatefulSet", /redis/, one => (container(one).ports[0].name = "redis")),
    ],
    [
      policies.portsAreListenedOn,
      "the gateway's port",
      () => broken("Deployment", /gateway/, one => (container(one).ports[1].containerPort = 8080)),
    ],
    [
      policies.portsAreListenedOn,
      "the port of a gateway that is not there",
      () => broken("Deployment", /gateway/, one => (variable(one, "SERVICES").value = "ops")),
    ],
    [
      policies.portsAreListenedOn,
      "the health port",
      () => broken("Deployment", /core/, one => (variable(one, "HEALTH_PORT").value = "8080")),
    ],
    [
      policies.healthIsProbed,
      "no probe",
      () => broken("Deployment", /core/, one => delete container(one).readinessProbe),
    ],
    [
      policies.healthIsProbed,
      "a restart for what lies elsewhere",
      () => broken("Deployment", /core/, one => (container(one).livenessProbe.httpGet.path = "/health/ready")),
    ],
    [
      policies.graceCoversTheDrain,
      "the default",
      () => broken("Deployment", /gateway/, one => delete pod(one).terminationGracePeriodSeconds),
    ],
    [
      policies.graceCoversTheDrain,
      "a longer drain",
      () => broken("ConfigMap", /^valence/, one => (one.data!["SHUTDOWN_TIMEOUT_MS"] = "60000")),
    ],
    [
      policies.graceCoversTheDrain,
      "a longer preStop",
      () => broken("Deployment", /gateway/, one => (container(one).lifecycle.preStop.sleep.seconds = 30)),
    ],
    [
      policies.environmentIsRead,
      "a misspelt name",
      () => broken("Deployment", /core/, one => (variable(one, "NODEID").name = "NODE_ID")),
    ],
    [
      policies.environmentIsRead,
      "a misspelt name in the ConfigMap",
      () => broken("ConfigMap", /^valence/, one => (one.data!["LOG_LEVEL"] = "info")),
    ],
    [
      policies.environmentIsRead,
      "a value that stops the start",
      () => broken("ConfigMap", /^valence/, one => (one.data!["LOGLEVEL"] = "loud")),
    ],
    [
      policies.environmentIsRead,
      "a service that there is not",
      () => broken("Deployment", /sagas/, one => (variable(one, "SERVICES").value = "checkouts")),
    ],
    [
      policies.migrationComesFirst,
      "its settings",
      () => broken("ConfigMap", /^valence/, one => delete one.metadata.labels!["valence/apply"]),
    ],
    [
      policies.nothingIsKeptInAPod,
      "no bus",
      () => broken("Deployment", /gateway/, one => (variable(one, "NATS_URL").name = "REDIS_URL")),
    ],
    [
      policies.nothingIsKeptInAPod,
      "no database",
      () => broken("Deployment", /sagas/, one => (variable(one, "DATABASE_URL").name = "REDIS_URL")),
    ],
    [
      policies.nothingIsKeptInAPod,
      "no provider",
      () =>
        broken("Deployment", /core/, (one, all) => {
          variable(one, "PAYMENT_PROVIDER_URL").name = "REDIS_URL";
          for (const { data } of all) delete data?.["PAYMENT_PROVIDER_URL"];
        }),
    ],
    [
      policies.gatewaysKnowTheirClients,
      "no address",
      () => broken("ConfigMap", /^valence/, one => delete one.data!["PUBLIC_URL"]),
    ],
    [
      policies.gatewaysKnowTheirClients,
      "no proxies",
      () => broken("ConfigMap", /^valence/, one => delete one.data!["TRUSTED_PROXIES"]),
    ],
    [
      policies.servicesRunOnce,
      "none runs it",
      () => broken("Deployment", /projections/, one => (variable(one, "SERVICES").value = "ops")),
    ],
    [
      policies.servicesRunOnce,
      "two run it",
      () => broken("Deployment", /sagas/, one => (variable(one, "SERVICES").value = "checkout,orders")),
    ],
    [
      policies.imagesAreOfAVersion,
      "no tag",
      () => broken("Deployment", /core/, one => (container(one).image = "valence")),
    ],
    [
      policies.imagesAreOfAVersion,
      "the newest",
      () => broken("StatefulSet", /redis/, one => (container(one).image = "redis:latest")),
    ],
    [
      policies.secretsAreReferences,
      "a value",
      () =>
        broken("Deployment", /core/, one =>
          Object.assign(variable(one, "ADMIN_PASSWORD"), { value: "x", valueFrom: undefined }),
        ),
    ],
    [
      policies.secretsAreReferences,
      "the ConfigMap",
      () =>
        broken(
          "ConfigMap",
          /^valence/,
          one => (one.data!["PAYMENT_PROVIDER_URL"] = "http://shop:secret@provider:4010"),
        ),
    ],
    [
      policies.podsAreRestricted,
      "root",
      () => broken("Deployment", /core/, one => delete pod(one).securityContext.runAsNonRoot),
    ],
    [
      policies.podsAreRestricted,
      "a root that can be written",
      () => broken("StatefulSet", /redis/, one => delete container(one).securityContext.readOnlyRootFilesystem),
    ],
    [
      policies.podsAreRestricted,
      "a token",
      () => broken("Job", /migrate/, one => delete pod(one).automountServiceAccountToken),
    ],
    [
      policies.podsAreRestricted,
      "an account's token",
      () => broken("ServiceAccount", /core/, one => delete one.automountServiceAccountToken),
    ],
    [
      policies.filesCanBeRead,
      "certificates of root's",
      () => broken("Deployment", /core/, one => delete pod(one).securityContext.fsGroup),
    ],
    [
      policies.resourcesAreAskedFor,
      "no request",
      () => broken("Deployment", /core/, one => delete container(one).resources.requests.cpu),
    ],
    [
      policies.resourcesAreAskedFor,
      "a limit of CPU",
      () => broken("Deployment", /core/, one => (container(one).resources.limits.cpu = "1")),
    ],
    [
      policies.disruptionsAreBounded,
      "no budget",
      () => broken("PodDisruptionBudget", /core/, one => (one.spec.selector.matchLabels = { app: "other" })),
    ],
    [
      policies.disruptionsAreBounded,
      "a roll-out",
      () => broken("Deployment", /core/, one => (one.spec.strategy.rollingUpdate.maxUnavailable = 1)),
    ],
    [
      policies.disruptionsAreBounded,
      "replicas of what is scaled",
      () => broken("Deployment", /core/, one => (one.spec.replicas = 2)),
    ],
    [
      policies.disruptionsAreBounded,
      "one host",
      () => broken("Deployment", /core/, one => pod(one).topologySpreadConstraints.pop()),
    ],
  ];
  test("every policy has something that breaks it", () =>
    expect(new Set(cases.map(([policy]) => policy))).toEqual(new Set(Object.values(policies))));
  test.each(cases.map(([policy, what, make]) => [policy.name, what, policy, make] as const))(
    "%s finds: %s",
    (_name, _what, policy, make) => expect(policy(make())).not.toEqual([]),
  );
});
