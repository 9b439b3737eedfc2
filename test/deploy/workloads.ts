// The processes that the manifests start, with their variables.
import { serviceNames } from "../../mixins/operations/services.ts";
import { idOf, type Manifest } from "./manifests.ts";

type Labels = Readonly<Record<string, string>>;
/** A manifest that makes pods. */
export interface Workload {
  readonly id: string;
  readonly manifest: Manifest;
  readonly labels: Labels;
  readonly pod: any;
}
export interface Variable {
  readonly name: string;
  /** Undefined when the value is not known here: it comes from the pod, or from a Secret of an overlay. */
  readonly value: string | undefined;
  readonly isLiteral: boolean;
}

export const ofKind = (manifests: readonly Manifest[], ...kinds: string[]): Manifest[] =>
  manifests.filter(({ kind }) => kinds.includes(kind));
export const workloadsOf = (manifests: readonly Manifest[]): Workload[] =>
  ofKind(manifests, "Deployment", "StatefulSet", "Job").map(manifest => {
    const { metadata, spec } = manifest.spec.template;
    return { id: idOf(manifest), manifest, labels: metadata?.labels ?? {}, pod: spec };
  });
export const containersOf = ({ pod }: Workload): any[] => pod.containers;
/** Our containers run our image; those that are nodes of the cluster name their services. */
export const isOurs = ({ image }: any): boolean => /(?:^|\/)valence[:@]/.test(image);
export const matches = (selector: Labels, labels: Labels): boolean =>
  Object.entries(selector).length > 0 && Object.entries(selector).every(([key, value]) => labels[key] === value);

/** Containers of the Moleculer cluster's nodes, with the services that they run. */
export function nodesOf(manifests: readonly Manifest[]) {
  return workloadsOf(manifests)
    .filter(({ manifest }) => manifest.kind === "Deployment")
    .flatMap(workload => containersOf(workload).map(container => ({ id: workload.id, workload, container })))
    .filter(({ container }) => isOurs(container))
    .map(node => ({
      ...node,
      runs:
        variablesOf(node.container, manifests)
          .find(({ name }) => name === "SERVICES")
          ?.value?.split(",") ?? serviceNames("services"),
    }));
}

/** The variables of a container, of its own and of the ConfigMaps that it takes whole, in the pod of this name. */
export function variablesOf(container: any, manifests: readonly Manifest[], podName = "pod-1"): Variable[] {
  const { env = [], envFrom = [] } = container;
  const labels = workloadsOf(manifests).find(workload => containersOf(workload).includes(container))?.labels ?? {};
  const data = (kind: string, name: string): Record<string, string> =>
    manifests.find(one => one.kind === kind && one.metadata.name === name)?.data ?? {};
  const secret = (name: string): Record<string, string | undefined> => secretOf(manifests, name) ?? {};
  const referred = ({ secretKeyRef, configMapKeyRef, fieldRef }: any): string | undefined => {
    if (fieldRef?.fieldPath === "metadata.name") return podName;
    if (fieldRef) return labels[/^metadata\.labels\['(.*)'\]$/.exec(fieldRef.fieldPath)?.[1] ?? ""];
    if (configMapKeyRef) return data("ConfigMap", configMapKeyRef.name)[configMapKeyRef.key];
    return secretKeyRef && secret(secretKeyRef.name)[secretKeyRef.key];
  };
  const given: Variable[] = [
    ...envFrom.flatMap(({ configMapRef, secretRef }: any) => {
      const all = configMapRef ? data("ConfigMap", configMapRef.name) : secret(secretRef.name);
      return Object.entries(all).map(([name, value]) => ({ name, value, isLiteral: configMapRef !== undefined }));
    }),
    ...env.map(({ name, value, valueFrom }: any) => ({
      name,
      value: valueFrom ? referred(valueFrom) : value,
      // One that only names another is what the other is.
      isLiteral: valueFrom ? valueFrom.configMapKeyRef !== undefined : !/^"?\$\(\w+\)"?$/.test(value ?? ""),
    })),
  ];
  // `$(NAME)` stands for a variable that is defined before.
  const expanded = (text: string, at: number): string =>
    text.replaceAll(/\$\((\w+)\)/g, (whole, name) => given.slice(0, at).find(one => one.name === name)?.value ?? whole);
  return given.map((variable, at) => ({ ...variable, value: variable.value && expanded(variable.value, at) }));
}

/**
 * The values of a Secret, by key: those of its own, or the texts that an operator makes it of. An ExternalSecret's texts have `x`
 * for what lies in the store, and a value that lies there as a whole is undefined. Undefined when nothing here makes the Secret.
 */
export function secretOf(manifests: readonly Manifest[], name: string): Secret | undefined {
  const own = manifests.find(one => one.kind === "Secret" && one.metadata.name === name)?.data;
  if (own)
    return Object.fromEntries(Object.entries(own).map(([key, text]) => [key, Buffer.from(text, "base64").toString()]));
  const external = ofKind(manifests, "ExternalSecret").find(({ spec }) => spec.target.name === name)?.spec;
  if (external) {
    const templates = Object.entries<string>(external.target.template?.data ?? {});
    // With a template the Secret has what the template names, and nothing else.
    if (templates.length === 0) return keysOnly((external.data ?? []).map(({ secretKey }: any) => secretKey));
    const text = (template: string) =>
      /^\{\{[^}]*\}\}$/.test(template) ? undefined : template.replaceAll(/\{\{.*?\}\}/g, "x");
    return Object.fromEntries(templates.map(([key, template]) => [key, text(template)]));
  }
  const isCertificate = ofKind(manifests, "Certificate").some(({ spec }) => spec.secretName === name);
  if (isCertificate) return keysOnly(["tls.crt", "tls.key", "ca.crt"]);
  // CloudNativePG makes its own authority.
  const isAuthority = ofKind(manifests, "Cluster").some(({ metadata }) => `${metadata.name}-ca` === name);
  return isAuthority ? keysOnly(["ca.crt"]) : undefined;
}
const keysOnly = (keys: readonly string[]): Secret => Object.fromEntries(keys.map(key => [key, undefined]));
type Secret = Record<string, string | undefined>;

/** The label that names a kind of pod. */
export const NAME = "app.kubernetes.io/name";

/** A kind of pod: our Deployments and servers, and those that an operator makes. */
export interface Pods {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly account: string | undefined;
  /** By name. */
  readonly ports: Readonly<Record<string, number>>;
}

/** All pods that the manifests lead to. */
export function podsOf(manifests: readonly Manifest[]): Pods[] {
  const own = workloadsOf(manifests).map(workload => ({
    name: workload.labels[NAME] ?? workload.id,
    labels: workload.labels,
    account: workload.pod.serviceAccountName,
    ports: Object.fromEntries(
      containersOf(workload).flatMap(({ ports = [] }) => ports.map((one: any) => [one.name, one.containerPort])),
    ),
  }));
  // CloudNativePG's: they have an account of the cluster's name.
  const clusters = ofKind(manifests, "Cluster").map(({ metadata, spec }) => {
    const labels = { "cnpg.io/cluster": metadata.name, ...spec.inheritedMetadata?.labels };
    return { name: labels[NAME] ?? metadata.name, labels, account: metadata.name, ports: {} };
  });
  const poolers = ofKind(manifests, "Pooler").map(({ metadata, spec }) => {
    const labels = { "cnpg.io/poolerName": metadata.name, ...spec.template.metadata.labels };
    return { name: labels[NAME] ?? metadata.name, labels, account: metadata.name, ports: {} };
  });
  return [...own, ...clusters, ...poolers];
}
