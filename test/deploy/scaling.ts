// Rules for numbers of pods. Each is a function that answers sentences, none when all is well.
import { streamEnvironment } from "../../mixins/stream/environment.ts";
import { readEnvironment } from "@valence/runtime/kernel";
import { declaredIn } from "../../mixins/cli/declared.ts";
import { serviceNames } from "../../mixins/operations/services.ts";
import { isSelected } from "./edges.ts";
import { idOf, type Manifest } from "./manifests.ts";
import { knownSeries, problemsOf } from "./promql.ts";
import { ofKind, workloadsOf } from "./workloads.ts";

const PARTITIONS = Number(streamEnvironment.of(readEnvironment({})).PARTITIONS);
const { metrics } = await declaredIn("services", serviceNames("services"));

/** Fields of KEDA's triggers, which its schema does not know: a misspelt one would be ignored. All are strings. */
const TRIGGERS: Readonly<Record<string, readonly string[]>> = {
  cpu: ["value"],
  prometheus: ["serverAddress", "query", "threshold", "activationThreshold"],
};
/** Connections to Postgres that a pod of each role holds at most (docs/kubernetes.md). */
const CONNECTIONS: Readonly<Record<string, number>> = { core: 60, projections: 14, sagas: 10 };
/** Roles whose pods share partitions: more pods than these have nothing to do. */
const CONSUMERS = ["projections", "sagas"];

/** Every Deployment has a number of pods from one place: its own, an autoscaler, or KEDA, which makes the autoscaler. */
export function podsAreCountedOnce(manifests: readonly Manifest[]): string[] {
  const scalers = ofKind(manifests, "HorizontalPodAutoscaler", "ScaledObject");
  return ofKind(manifests, "Deployment").flatMap(one => {
    const own = scalers.filter(({ spec }) => spec.scaleTargetRef.name === one.metadata.name).map(idOf);
    const counts = [...own, ...(one.spec.replicas === undefined ? [] : ["its own replicas"])];
    return counts.length === 1 ? [] : [`${idOf(one)} has ${counts.join(" and ") || "no number of pods"}`];
  });
}

/** KEDA asks for series that there are, by fields that it reads. */
export function triggersWork(manifests: readonly Manifest[]): string[] {
  const known = knownSeries(metrics);
  return ofKind(manifests, "ScaledObject").flatMap(one =>
    one.spec.triggers.flatMap(({ type, metadata }: any) =>
      [
        ...(TRIGGERS[type] ? [] : [`${type} is no trigger of ours`]),
        ...Object.keys(metadata)
          .filter(key => !TRIGGERS[type]?.includes(key))
          .map(key => `${type} has no ${key}`),
        ...Object.entries(metadata)
          .filter(([, value]) => typeof value !== "string")
          .map(([key]) => `${key} is no string`),
        ...(metadata.query === undefined ? [] : problemsOf(metadata.query, known)),
      ].map(what => `${idOf(one)}: ${what}`),
    ),
  );
}

/** The most and the least pods fit each other, the partitions, and the connections of the database. */
export function boundsFit(manifests: readonly Manifest[]): string[] {
  const scaled = ofKind(manifests, "ScaledObject").map(({ metadata, spec }) => ({
    name: metadata.name,
    least: spec.minReplicaCount as number,
    most: spec.maxReplicaCount as number,
    fallback: spec.fallback?.replicas as number,
  }));
  const [database] = ofKind(manifests, "Cluster");
  const most = Number(database?.spec.postgresql.parameters.max_connections);
  // A roll-out adds a pod to each.
  const needed = scaled.reduce((sum, one) => sum + (one.most + 1) * (CONNECTIONS[one.name] ?? 0), 0);
  return [
    ...scaled.flatMap(one => [
      ...(one.least >= 2 ? [] : [`${one.name}: a lost pod is an outage`]),
      ...(one.fallback >= one.least && one.fallback <= one.most ? [] : [`${one.name}: fallback is out of bounds`]),
      ...(CONSUMERS.includes(one.name) && one.most > PARTITIONS
        ? [`${one.name}: ${PARTITIONS} pods have partitions`]
        : []),
    ]),
    ...(database && needed > most ? [`${needed} connections may be needed, of ${most}`] : []),
  ];
}

/** Whatever a drain of machines may take, a majority of servers and one pod of each role stay. */
export function budgetsLeaveEnough(manifests: readonly Manifest[]): string[] {
  const budgets = ofKind(manifests, "PodDisruptionBudget");
  const scalers = ofKind(manifests, "HorizontalPodAutoscaler", "ScaledObject");
  const counted = workloadsOf(manifests)
    .filter(({ manifest }) => manifest.kind !== "Job")
    .map(({ id, labels, manifest }) => {
      const scaler = scalers.find(({ spec }) => spec.scaleTargetRef.name === manifest.metadata.name)?.spec;
      const count: number = scaler?.minReplicas ?? scaler?.minReplicaCount ?? manifest.spec.replicas ?? 1;
      const taken = budgets.find(({ spec }) => isSelected(spec.selector, labels))?.spec.maxUnavailable;
      const least = manifest.kind === "StatefulSet" ? Math.floor(count / 2) + 1 : 1;
      return { id, count, left: count - (taken ?? count), least };
    });
  const clusters = ofKind(manifests, "Cluster").map(one => {
    const { instances, enablePDB = true, postgresql } = one.spec;
    // The primary, and the standbys that confirm commits.
    const least = 1 + (postgresql.synchronous?.number ?? 0);
    return { id: idOf(one), count: instances, left: enablePDB ? instances - 1 : 0, least };
  });
  return (
    [...counted, ...clusters]
      // One alone, or none, is a choice that its own comment explains.
      .filter(({ count, left, least }) => count > 1 && left < least)
      .map(({ id, left, least }) => `${id}: ${left} may be left, and ${least} are needed`)
  );
}
