// node observability/build.ts writes grafana/dashboards/*.json and the rules of k8s/components/monitoring. A test finds files
// that are not as it would write them.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parse, stringify } from "yaml";
import { bus } from "./dashboards/bus.ts";
import { databases } from "./dashboards/databases.ts";
import { gateway } from "./dashboards/gateway.ts";
import { modelOf } from "./dashboards/grafana.ts";
import { order } from "./dashboards/order.ts";
import { overview } from "./dashboards/overview.ts";
import { runtime } from "./dashboards/runtime.ts";

const ROOT = join(import.meta.dirname, "..");
export const DASHBOARDS = [overview, order, runtime, databases, bus, gateway];
export const RULES = ["slo", "alerts", "doctor"].map(name => `observability/prometheus/rules/${name}.yml`);

/** Text of each generated file by its path. */
export function generated(): ReadonlyMap<string, string> {
  const json = (value: object): string => `${JSON.stringify(value, null, 2)}\n`;
  const files = new Map<string, string>();
  for (const dashboard of DASHBOARDS)
    files.set(`observability/grafana/dashboards/${dashboard.uid}.json`, json(modelOf(dashboard)));
  files.set("k8s/components/monitoring/rules.yaml", prometheusRule());
  return files;
}

function prometheusRule(): string {
  const groups = RULES.flatMap(path => (parse(readFileSync(join(ROOT, path), "utf8")) as { groups: unknown[] }).groups);
  const rule = {
    apiVersion: "monitoring.coreos.com/v1",
    kind: "PrometheusRule",
    metadata: { name: "valence" },
    spec: { groups },
  };
  return `# Generated from observability/prometheus/rules by: node observability/build.ts\n${stringify(rule, { lineWidth: 0 })}`;
}

if (import.meta.main)
  for (const [path, text] of generated()) {
    mkdirSync(dirname(join(ROOT, path)), { recursive: true });
    writeFileSync(join(ROOT, path), text);
  }
