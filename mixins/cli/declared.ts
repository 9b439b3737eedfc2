// Collects the environment variables, failpoints and metrics that the floors of the runtime and the services of a domain
// declare. A service's are found by file name, `<service>/environment.ts`, `failpoints.ts` and `metrics.ts`; the files are
// pure values, since a start reads them before it loads any service.
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { accountsEnvironment } from "../accounts/environment.ts";
import { failpoint as actorFailpoint } from "../actor/failpoints.ts";
import { actorMetrics } from "../actor/metrics.ts";
import { auditEnvironment } from "../audit/environment.ts";
import { auditMetrics } from "../audit/metrics.ts";
import { brokerEnvironment } from "../broker/environment.ts";
import { busMetrics, callMetrics } from "../broker/metrics.ts";
import { cdnEnvironment } from "../cdn/environment.ts";
import { cdnMetrics } from "../cdn/metrics.ts";
import { databaseEnvironment } from "../database/environment.ts";
import { databaseMetrics } from "../database/metrics.ts";
import { failpoint as storeFailpoint } from "../event-store/failpoints.ts";
import { storeMetrics } from "../event-store/metrics.ts";
import { gatewayEnvironment } from "../gateway/environment.ts";
import { failpoint as gatewayFailpoint } from "../gateway/failpoints.ts";
import { gatewayMetrics } from "../gateway/metrics.ts";
import {
  catalogueOf,
  isDeclaration,
  isFailpoint,
  isMetrics,
  Misconfigured,
  nodeEnvironment,
  type Declaration,
  type Declared,
  type MetricCatalogue,
  type MetricDefinitions,
} from "../kernel/index.ts";
import { logEnvironment } from "../log/environment.ts";
import { mailEnvironment } from "../mail/environment.ts";
import { mailMetrics } from "../mail/metrics.ts";
import { metricsEnvironment } from "../metrics/environment.ts";
import { processMetrics } from "../metrics/metrics.ts";
import { operationsMetrics } from "../operations/metrics.ts";
import { operationsEnvironment } from "../operations/environment.ts";
import { redisEnvironment } from "../redis/environment.ts";
import { redisMetrics } from "../redis/metrics.ts";
import { failpoint as sagaFailpoint } from "../saga/failpoints.ts";
import { sagaMetrics } from "../saga/metrics.ts";
import { kafkaEnvironment, streamEnvironment } from "../stream/environment.ts";
import { failpoint as streamFailpoint } from "../stream/failpoints.ts";
import { streamMetrics } from "../stream/metrics.ts";
import { outboundEnvironment } from "../stream/outbound/environment.ts";
import { outboundMetrics } from "../stream/outbound/metrics.ts";
import { tracingEnvironment } from "../tracing/environment.ts";
import { tracingMetrics } from "../tracing/metrics.ts";

const DECLARATIONS: readonly Declaration[] = [
  accountsEnvironment,
  auditEnvironment,
  brokerEnvironment,
  nodeEnvironment,
  gatewayEnvironment,
  cdnEnvironment,
  databaseEnvironment,
  kafkaEnvironment,
  logEnvironment,
  mailEnvironment,
  metricsEnvironment,
  operationsEnvironment,
  redisEnvironment,
  streamEnvironment,
  outboundEnvironment,
  tracingEnvironment,
];
const FAILPOINTS: readonly { readonly names: readonly string[] }[] = [
  storeFailpoint,
  actorFailpoint,
  streamFailpoint,
  sagaFailpoint,
  gatewayFailpoint,
];
/** All metrics of the runtime, floor by floor. */
const METRICS: readonly MetricDefinitions[] = [
  callMetrics,
  gatewayMetrics,
  cdnMetrics,
  actorMetrics,
  storeMetrics,
  streamMetrics,
  outboundMetrics,
  sagaMetrics,
  auditMetrics,
  databaseMetrics,
  redisMetrics,
  busMetrics,
  mailMetrics,
  operationsMetrics,
  tracingMetrics,
  processMetrics,
];

/** In a packed application the files are JavaScript. */
const SUFFIXES = [".ts", ".js"];

/**
 * All that the runtime and these services under `root` declare. Throws Misconfigured when such a file declares nothing, or
 * two declare the same failpoint or metric.
 */
export async function declaredIn(root: string, services: readonly string[]): Promise<Declared> {
  const declarations = [...DECLARATIONS];
  const failpoints: string[] = FAILPOINTS.flatMap(({ names }) => names);
  for (const service of services) {
    declarations.push(...(await exportsOf(join(root, service, "environment"), isDeclaration)));
    for (const { names } of await exportsOf(join(root, service, "failpoints"), isFailpoint)) failpoints.push(...names);
  }
  const twice = failpoints.find((name, i) => failpoints.indexOf(name) !== i);
  if (twice !== undefined) throw new Misconfigured(`the failpoint ${twice} is declared twice`);
  return { services, declarations, failpoints, metrics: await metricsIn(root, services) };
}

async function metricsIn(root: string, services: readonly string[]): Promise<MetricCatalogue[]> {
  const found = [...METRICS];
  for (const service of services) found.push(...(await exportsOf(join(root, service, "metrics"), isMetrics)));
  const names = found.flatMap(metrics => Object.values(metrics).map(({ name }) => name));
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new Misconfigured(`the metric ${twice} is declared twice`);
  return found.map(catalogueOf);
}

/** The declarations among the exports of a module; none where there is no such module. */
async function exportsOf<T>(path: string, is: (value: unknown) => value is T): Promise<T[]> {
  const file = SUFFIXES.map(suffix => path + suffix).find(existsSync);
  if (file === undefined) return [];
  const module = (await import(pathToFileURL(resolve(file)).href)) as Record<string, unknown>;
  const found = Object.values(module).filter(is);
  if (found.length === 0)
    throw new Misconfigured(
      `${file} declares nothing: export the result of defineEnvironment, defineFailpoints or defineMetrics`,
    );
  return found;
}
