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
export const isOurs = ({ image }: any): boolean => /^valence[:@]/.test(image);
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

/** The variables of a container, of its own and of the ConfigMaps that it takes whole. */
export function variablesOf(container: any, manifests: readonly Manifest[]): Variable[] {
  const { env = [], envFrom = [] } = container;
  const labels = workloadsOf(manifests).find(workload => containersOf(workload).includes(container))?.labels ?? {};
  const data = (kind: string, name: string): Record<string, string> =>
    manifests.find(one => one.kind === kind && one.metadata.name === name)?.data ?? {};
  const referred = ({ secretKeyRef, configMapKeyRef, fieldRef }: any): string | undefined => {
    if (fieldRef?.fieldPath === "metadata.name") return "pod-1";
    if (fieldRef) return labels[/^metadata\.labels\['(.*)'\]$/.exec(fieldRef.fieldPath)?.[1] ?? ""];
    if (configMapKeyRef) return data("ConfigMap", configMapKeyRef.name)[configMapKeyRef.key];
    const encoded = secretKeyRef && data("Secret", secretKeyRef.name)[secretKeyRef.key];
    return encoded && Buffer.from(encoded, "base64").toString();
  };
  const given: Variable[] = [
    ...envFrom.flatMap(({ configMapRef }: any) =>
      Object.entries(data("ConfigMap", configMapRef.name)).map(([name, value]) => ({ name, value, isLiteral: true })),
    ),
    ...env.map(({ name, value, valueFrom }: any) => ({
      name,
      value: valueFrom ? referred(valueFrom) : value,
      isLiteral: valueFrom === undefined || valueFrom.configMapKeyRef !== undefined,
    })),
  ];
  // `$(NAME)` stands for a variable that is defined before.
  const expanded = (text: string, at: number): string =>
    text.replaceAll(/\$\((\w+)\)/g, (whole, name) => given.slice(0, at).find(one => one.name === name)?.value ?? whole);
  return given.map((variable, at) => ({ ...variable, value: variable.value && expanded(variable.value, at) }));
}
