// Rules that schemas cannot check: how manifests belong together, and what our processes need. Each policy is a
// function that answers sentences, none when all is well.
import { brokerOptions } from "@valence/runtime/broker";
import { gatewayEnvironment } from "@valence/runtime/gateway";
import { declaredVariables, EnvironmentError, nodeEnvironment, readEnvironment } from "@valence/runtime/kernel";
import { declaredIn } from "../../mixins/cli/declared.ts";
import { serviceNames } from "../../mixins/operations/services.ts";
import { idOf, type Manifest } from "./manifests.ts";
import {
  containersOf,
  isOurs,
  matches,
  nodesOf,
  ofKind,
  podsOf,
  secretOf,
  variablesOf,
  workloadsOf,
  type Workload,
} from "./workloads.ts";

const limits = {
  /** Seconds for sockets and pools to close, after running work has ended. */
  closingSeconds: 5,
};

const services = serviceNames("services");
const declared = await declaredIn("services", services);
/** Services without data of their own. */
const STATELESS = ["api"];
/** Variables that Node reads itself, and those that stand in another one: `$(ROLE).$(POD_NAME)`. */
const OF_NODE = ["NODE_OPTIONS", "ROLE", "POD_NAME"];

/** A selector selects something: a workload its own pods, a Service and a budget those of some workload. */
export function selectorsMatch(manifests: readonly Manifest[]): string[] {
  const workloads = workloadsOf(manifests);
  const own = workloads
    .filter(({ manifest }) => manifest.kind !== "Job")
    .filter(({ manifest, labels }) => !matches(manifest.spec.selector?.matchLabels ?? {}, labels));
  const lost = ofKind(manifests, "Service", "PodDisruptionBudget").filter(({ spec }) => {
    const selector = spec.selector?.matchLabels ?? spec.selector ?? {};
    return !podsOf(manifests).some(({ labels }) => matches(selector, labels));
  });
  return [...own.map(({ id }) => id), ...lost.map(idOf)].map(id => `${id} selects no pod`);
}

/**
 * Everything that a manifest names is there: ConfigMaps, Secrets and their keys, accounts, the target of an autoscaler.
 */
export function referencesExist(manifests: readonly Manifest[]): string[] {
  const find = (kind: string, name: string) => manifests.find(one => one.kind === kind && one.metadata.name === name);
  type Named = { name: string; key?: string; optional?: boolean };
  const missing = (from: string, kind: string, { name, key, optional = false }: Named): string[] => {
    if (optional) return [];
    const data = kind === "Secret" ? secretOf(manifests, name) : find(kind, name) && (find(kind, name)!.data ?? {});
    if (data && (key === undefined || key in data)) return [];
    return [`${from} names ${kind} ${name}${key === undefined ? "" : `, key ${key}`}, which is not there`];
  };
  return [
    ...ofKind(manifests, "HorizontalPodAutoscaler", "ScaledObject").flatMap(one =>
      missing(idOf(one), one.spec.scaleTargetRef.kind ?? "Deployment", one.spec.scaleTargetRef),
    ),
    ...workloadsOf(manifests).flatMap(workload => [
      ...(workload.pod.serviceAccountName
        ? missing(workload.id, "ServiceAccount", { name: workload.pod.serviceAccountName })
        : []),
      ...(workload.pod.volumes ?? []).flatMap(({ configMap, secret }: any) => [
        ...(configMap ? missing(workload.id, "ConfigMap", configMap) : []),
        ...(secret ? missing(workload.id, "Secret", { name: secret.secretName }) : []),
        ...(secret?.items ?? []).flatMap(({ key }: any) =>
          missing(workload.id, "Secret", { name: secret.secretName, key }),
        ),
      ]),
      ...containersOf(workload).flatMap(({ env = [], envFrom = [] }) => [
        ...envFrom.flatMap(({ configMapRef, secretRef }: any) =>
          configMapRef ? missing(workload.id, "ConfigMap", configMapRef) : missing(workload.id, "Secret", secretRef),
        ),
        ...env.flatMap(({ valueFrom = {} }: any) => [
          ...(valueFrom.secretKeyRef ? missing(workload.id, "Secret", valueFrom.secretKeyRef) : []),
          ...(valueFrom.configMapKeyRef ? missing(workload.id, "ConfigMap", valueFrom.configMapKeyRef) : []),
        ]),
      ]),
    ]),
  ];
}

/** Every port has a name, once in a pod; probes and Services go by these names. */
export function portsHaveNames(manifests: readonly Manifest[]): string[] {
  const workloads = workloadsOf(manifests);
  const namesIn = (workload: Workload): string[] =>
    containersOf(workload).flatMap(({ ports = [] }) => ports.map(({ name }: any) => name));
  return [
    ...workloads.flatMap(workload => {
      const names = namesIn(workload);
      const probed = containersOf(workload).flatMap(({ startupProbe, livenessProbe, readinessProbe }) =>
        [startupProbe, livenessProbe, readinessProbe].flatMap(probe => probe?.httpGet?.port ?? []),
      );
      return [
        ...names.filter((name, i) => !name || names.indexOf(name) !== i).map(name => `has the port name ${name} twice`),
        ...probed.filter(port => !names.includes(port)).map(port => `is probed on ${port}, which is no port of its`),
      ].map(what => `${workload.id} ${what}`);
    }),
    ...ofKind(manifests, "Service").flatMap(service => {
      const there = workloads.filter(({ labels }) => matches(service.spec.selector, labels)).flatMap(namesIn);
      return service.spec.ports
        .filter(({ name, targetPort }: any) => !name || !there.includes(targetPort))
        .map(({ targetPort }: any) => `${idOf(service)} leads to ${targetPort}, which is no port there`);
    }),
  ];
}

/**
 * The port of a server that speaks first is named tcp-*: a proxy that waits for HTTP from the client would wait for
 * ever.
 */
export function serversThatSpeakFirst(manifests: readonly Manifest[]): string[] {
  const ports = workloadsOf(manifests)
    .flatMap(containersOf)
    .flatMap(({ ports = [] }) => ports);
  const ofServices = ofKind(manifests, "Service").flatMap(({ spec }) =>
    spec.ports.map(({ name, port }: any) => ({ name, containerPort: port })),
  );
  return [...ports, ...ofServices]
    .filter(({ containerPort, name }) => SPEAK_FIRST.includes(containerPort) && !name.startsWith("tcp-"))
    .map(({ containerPort, name }) => `port ${containerPort} is named ${name}, not tcp-*`);
}
const SPEAK_FIRST = [4222, 6222, 5432, 6379];

/** Our processes listen on the ports that the manifests name. */
export function portsAreListenedOn(manifests: readonly Manifest[]): string[] {
  return nodesOf(manifests).flatMap(({ id, container, runs }) => {
    const valueOf = (variable: string) =>
      variablesOf(container, manifests).find(({ name }) => name === variable)?.value;
    const environment = readEnvironment({ PORT: valueOf("PORT"), HEALTH_PORT: valueOf("HEALTH_PORT") });
    const listened: Record<string, number | undefined> = {
      health: nodeEnvironment.of(environment).HEALTH_PORT,
      ...(runs.includes("api") && { http: gatewayEnvironment.of(environment).PORT }),
    };
    return (container.ports as { name: string; containerPort: number }[])
      .filter(({ name, containerPort }) => listened[name] !== containerPort)
      .map(
        ({ name, containerPort }) =>
          `${id} listens for ${name} on ${listened[name] ?? "no port"}, not ${containerPort}`,
      );
  });
}

/** Our containers have all their probes, and liveness asks for nothing that a restart would not mend. */
export function healthIsProbed(manifests: readonly Manifest[]): string[] {
  return nodesOf(manifests).flatMap(({ id, container }) => {
    const probes = ["startupProbe", "livenessProbe", "readinessProbe"].filter(probe => !container[probe]?.httpGet);
    return [
      ...probes.map(probe => `${id} has no ${probe}`),
      ...(container.livenessProbe?.httpGet.path === "/health/live" ? [] : [`${id}: liveness asks for more than life`]),
      ...(container.startupProbe?.httpGet.path === "/health/startup" ? [] : [`${id}: a start is not asked for`]),
      ...(container.readinessProbe?.httpGet.path === "/health/ready"
        ? []
        : [`${id}: it is not asked whether it is ready`]),
    ];
  });
}

/** The grace period, which begins with preStop, is longer than a stop may take. */
export function graceCoversTheDrain(manifests: readonly Manifest[]): string[] {
  return nodesOf(manifests).flatMap(({ id, workload, container }) => {
    const env = Object.fromEntries(variablesOf(container, manifests).map(({ name, value }) => [name, value]));
    const { registry, valence } = brokerOptions(
      readEnvironment({ SHUTDOWN_TIMEOUT_MS: env["SHUTDOWN_TIMEOUT_MS"], NATS_URL: "nats://nats" }),
    );
    const announceMs = (registry as { stopDelay: number }).stopDelay;
    const needed =
      (container.lifecycle?.preStop?.sleep?.seconds ?? 0) +
      (announceMs + nodeEnvironment.of(valence).SHUTDOWN_TIMEOUT_MS) / 1_000 +
      limits.closingSeconds;
    const given = workload.pod.terminationGracePeriodSeconds ?? 30;
    return given >= needed ? [] : [`${id} gets ${given} s, and may need ${needed}`];
  });
}

/** Variables of our containers are among those that the runtime reads, and their values pass. */
export function environmentIsRead(manifests: readonly Manifest[]): string[] {
  const known = [...declaredVariables(declared).keys(), ...OF_NODE];
  return workloadsOf(manifests).flatMap(workload =>
    containersOf(workload)
      .filter(isOurs)
      .flatMap(container => {
        const variables = variablesOf(container, manifests);
        const unread = variables.filter(({ name }) => !known.includes(name));
        const mounts: string[] = (container.volumeMounts ?? []).map(({ mountPath }: any) => mountPath);
        // A file of a volume is in the pod alone.
        const isMounted = (value: string) => mounts.some(path => value.startsWith(`${path}/`));
        const env = Object.fromEntries(
          variables.flatMap(({ name, value }) => (value && !isMounted(value) ? [[name, value]] : [])),
        );
        return [
          ...unread.map(({ name }) => `${workload.id}: the runtime reads no ${name}`),
          ...refusalOf(env).map(why => `${workload.id}: ${why}`),
        ];
      }),
  );
}

/** The Job that migrates is applied before the pods, with everything that it names and a release brings. */
export function migrationComesFirst(manifests: readonly Manifest[]): string[] {
  const isFirst = ({ metadata }: Manifest): boolean => metadata.labels?.["valence/apply"] === "first";
  const jobs = workloadsOf(manifests).filter(({ manifest }) => manifest.kind === "Job");
  const names = jobs.flatMap(({ pod }) => [
    `ServiceAccount ${pod.serviceAccountName}`,
    ...pod.containers.flatMap(({ envFrom = [] }: any) =>
      envFrom.flatMap(({ configMapRef }: any) => (configMapRef ? [`ConfigMap ${configMapRef.name}`] : [])),
    ),
  ]);
  const needed = manifests.filter(one => names.includes(idOf(one)) || jobs.some(({ manifest }) => manifest === one));
  const pods = ofKind(manifests, "Deployment", "StatefulSet").filter(isFirst);
  return [
    ...needed.filter(one => !isFirst(one)).map(one => `${idOf(one)} comes too late for the migration`),
    ...pods.map(one => `${idOf(one)} does not wait for the migration`),
  ];
}

/** No pod keeps files or a payment provider of its own: the URLs of the shared servers are set. */
export function nothingIsKeptInAPod(manifests: readonly Manifest[]): string[] {
  return nodesOf(manifests).flatMap(({ id, container, runs }) => {
    const names = variablesOf(container, manifests).map(({ name }) => name);
    const needed = [
      "NATS_URL",
      ...(runs.every(service => STATELESS.includes(service)) ? [] : ["DATABASE_URL"]),
      ...(runs.includes("payments") ? ["PAYMENT_PROVIDER_URL"] : []),
    ];
    return needed.filter(name => !names.includes(name)).map(name => `${id} needs ${name}`);
  });
}

/** A gateway knows the address that clients use, and which entry of `X-Forwarded-For` is the client's. */
export function gatewaysKnowTheirClients(manifests: readonly Manifest[]): string[] {
  return nodesOf(manifests)
    .filter(({ runs }) => runs.includes("api"))
    .flatMap(({ id, container }) => {
      const names = variablesOf(container, manifests).map(({ name }) => name);
      const needed = ["PUBLIC_URL", "TRUSTED_PROXIES"];
      return needed.filter(name => !names.includes(name)).map(name => `${id} needs ${name}`);
    });
}

/** Every service runs in one Deployment; a canary is a second one of the same role. */
export function servicesRunOnce(manifests: readonly Manifest[]): string[] {
  const first = nodesOf(manifests).filter(({ workload }) => workload.labels["track"] !== "canary");
  const running = first.flatMap(({ runs }) => runs);
  return [...new Set([...services, ...running])]
    .map(service => ({ service, times: running.filter(name => name === service).length }))
    .filter(({ service, times }) => times !== 1 || !services.includes(service))
    .map(({ service, times }) =>
      services.includes(service) ? `${service} is in ${times} Deployments` : `there is no service ${service}`,
    );
}

/** An image is one version. */
export function imagesAreOfAVersion(manifests: readonly Manifest[]): string[] {
  return workloadsOf(manifests).flatMap(workload =>
    containersOf(workload)
      .filter(({ image }) => !/@sha256:[0-9a-f]{64}$|:(?!latest$)[\w.-]+$/.test(image))
      .map(({ image }) => `${workload.id} runs ${image}, of no version`),
  );
}

/** Secret values come from a Secret. */
export function secretsAreReferences(manifests: readonly Manifest[]): string[] {
  const isSecret = (name: string, value: string): boolean =>
    /PASSWORD|SECRET|TOKEN$|(DATABASE|NATS|REDIS)_URL$/i.test(name) || /:\/\/[^/\s]*:[^/\s]*@/.test(value);
  return workloadsOf(manifests).flatMap(workload =>
    containersOf(workload).flatMap(container =>
      variablesOf(container, manifests)
        .filter(({ name, value, isLiteral }) => isLiteral && isSecret(name, value ?? ""))
        .map(({ name }) => `${workload.id} has ${name} in plain sight`),
    ),
  );
}

/** A container has no rights but to run: no root user, no writable root file system, no token for the API server. */
export function podsAreRestricted(manifests: readonly Manifest[]): string[] {
  const accounts = ofKind(manifests, "ServiceAccount").filter(one => one.automountServiceAccountToken !== false);
  return [
    ...accounts.map(one => `${idOf(one)} hands out its token`),
    ...workloadsOf(manifests).flatMap(({ id, pod }) => {
      const { runAsNonRoot, runAsUser, seccompProfile } = pod.securityContext ?? {};
      const isRestricted = (container: any): boolean => {
        const { allowPrivilegeEscalation, readOnlyRootFilesystem, capabilities } = container.securityContext ?? {};
        return (
          allowPrivilegeEscalation === false && readOnlyRootFilesystem === true && capabilities?.drop?.[0] === "ALL"
        );
      };
      return [
        ...(runAsNonRoot === true && runAsUser > 0 && seccompProfile?.type === "RuntimeDefault"
          ? []
          : [`${id} may run as root`]),
        ...(pod.automountServiceAccountToken === false ? [] : [`${id} mounts the account's token`]),
        ...pod.containers.filter((one: any) => !isRestricted(one)).map((one: any) => `${id}: ${one.name} may do more`),
      ];
    }),
  ];
}

/**
 * The user of a pod can read its files: those of a Secret or a ConfigMap belong to root, and to the group of the pod's volumes
 * where it has one (https://github.com/kubernetes/website/issues/38362).
 */
export function filesCanBeRead(manifests: readonly Manifest[]): string[] {
  return workloadsOf(manifests).flatMap(({ id, pod }) =>
    (pod.volumes ?? []).flatMap(({ name, configMap, secret }: any) => {
      const mode: number = (configMap ?? secret)?.defaultMode ?? 0o644;
      const isReadable = (mode & 0o004) !== 0 || pod.securityContext?.fsGroup !== undefined;
      return isReadable ? [] : [`${id} cannot read ${name}: the files are root's`];
    }),
  );
}

/** CPU and memory are requested; memory is limited, CPU is not: a limit would only make a busy process wait. */
export function resourcesAreAskedFor(manifests: readonly Manifest[]): string[] {
  return workloadsOf(manifests).flatMap(workload =>
    containersOf(workload)
      .filter(({ resources }) => {
        const { requests = {}, limits = {} } = resources ?? {};
        return !requests.cpu || !requests.memory || !limits.memory || limits.cpu;
      })
      .map(({ name }) => `${workload.id}: ${name} needs requests for cpu and memory, a limit for memory, none for cpu`),
  );
}

/** A roll-out, a drain of a machine and an autoscaler take one pod at a time, and do not contradict each other. */
export function disruptionsAreBounded(manifests: readonly Manifest[]): string[] {
  const budgets = ofKind(manifests, "PodDisruptionBudget");
  const scaled = ofKind(manifests, "HorizontalPodAutoscaler", "ScaledObject").map(
    ({ spec }) => spec.scaleTargetRef.name,
  );
  return ofKind(manifests, "Deployment").flatMap(one => {
    const { template, replicas, strategy } = one.spec;
    const labels = template.metadata.labels;
    const budget = budgets.find(({ spec }) => matches(spec.selector.matchLabels, labels))?.spec ?? {};
    const { maxSurge, maxUnavailable } = strategy?.rollingUpdate ?? {};
    const spread: any[] = template.spec.topologySpreadConstraints ?? [];
    const isSpread = (key: string): boolean =>
      spread.some(
        ({ topologyKey, labelSelector }) => topologyKey === key && matches(labelSelector.matchLabels, labels),
      );
    return [
      ...(budget.maxUnavailable === 1 && budget.unhealthyPodEvictionPolicy === "AlwaysAllow" ? [] : ["has no budget"]),
      ...(maxSurge === 1 && maxUnavailable === 0 ? [] : ["has fewer pods during a roll-out"]),
      ...(isSpread("kubernetes.io/hostname") && isSpread("topology.kubernetes.io/zone") ? [] : ["may lie on one host"]),
      ...(scaled.includes(one.metadata.name) && replicas !== undefined ? ["has replicas, and an autoscaler"] : []),
    ].map(what => `${idOf(one)} ${what}`);
  });
}

// ---- what our processes read

function refusalOf(env: Readonly<Record<string, string>>): string[] {
  try {
    readEnvironment(env, declared);
    return [];
  } catch (error) {
    if (!(error instanceof EnvironmentError)) throw error;
    return [error.message];
  }
}
