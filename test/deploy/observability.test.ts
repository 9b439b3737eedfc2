// The dashboards, rules and settings of observability/, as far as they can be checked without Grafana and Prometheus.
import { describe, expect, test } from "@jest/globals";
import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { parse } from "yaml";
import { defineMetrics } from "@valence/runtime/kernel";
import { declaredIn } from "../../mixins/cli/declared.ts";
import { CHECKS } from "../../mixins/operations/doctor/checks.ts";
import { serviceNames } from "../../mixins/operations/services.ts";
import { DASHBOARDS, generated, RULES } from "../../observability/build.ts";
import { routes } from "../../services/api/routes/index.ts";
import { ROOT } from "./manifests.ts";
import { groupingOf, knownSeries, problemsOf } from "./promql.ts";

interface Rule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");
const yaml = (path: string): any => parse(read(path), { uniqueKeys: true, merge: true });
const { metrics } = await declaredIn(join(ROOT, "services"), serviceNames(join(ROOT, "services")));
const rules = RULES.flatMap(path => (yaml(path).groups as { rules: Rule[] }[]).flatMap(group => group.rules));
const alerts = rules.filter(rule => rule.alert !== undefined);
const recorded = new Map(rules.filter(rule => rule.record !== undefined).map(rule => [rule.record!, ["job"]]));
const known = knownSeries(metrics, recorded);

test.each([...generated()])("%s is what build.ts writes: run node observability/build.ts", (path, text) => {
  expect(read(path)).toBe(text);
});

describe("expressions", () => {
  test.each(rules.map(({ alert, record, expr }) => [alert ?? record!, expr] as const))("%s", (_name, expr) => {
    expect(problemsOf(expr, known)).toEqual([]);
  });

  test("one with a mistake is found", () => {
    const service = "services of the process";
    const catalogue = defineMetrics("Rooms", {
      opened: { type: "counter", name: "valence_rooms_total", help: "Rooms", labels: { state: ["open", "shut"] } },
      lag: { type: "gauge", name: "valence_lag_seconds", help: "Lag", labels: { service }, over: "max" },
      time: { type: "histogram", name: "valence_time_seconds", help: "Time", buckets: [1] },
    });
    const rooms = knownSeries([{ title: "Rooms", metrics: catalogue }]);
    const wrong: [string, string][] = [
      ["sum(rate(valence_rooms_total[5m])", "does not parse at its end"],
      ["sum(valence_rooms)", "there is no metric valence_rooms"],
      ["valence_time_seconds", "there is no metric valence_time_seconds"],
      ['valence_rooms_total{service="x"}', "valence_rooms_total has no label service"],
      ['valence_rooms_total{state="closed"}', "state of valence_rooms_total is never closed"],
      ["max by (node) (valence_lag_seconds)", "nothing has the label node by which it is grouped"],
      ["sum(valence_lag_seconds)", "valence_lag_seconds is a max over processes, and no sum"],
    ];
    for (const [expr, problem] of wrong) expect(problemsOf(expr, rooms)).toEqual([problem]);
    const right = [
      'sum by (state, job) (rate(valence_rooms_total{state=~"open|ajar", job=~"$job"}[$__rate_interval]))',
      "sum(max by (service) (valence_lag_seconds)) > 1",
      "histogram_quantile(0.9, sum by (le) (rate(valence_time_seconds_bucket[1h])))",
    ];
    expect(right.flatMap(expr => problemsOf(expr, rooms))).toEqual([]);
  });
});

describe.each(DASHBOARDS.map(dashboard => [dashboard.title, dashboard] as const))(
  "the dashboard %s",
  (_title, dashboard) => {
    const model = JSON.parse(read(`observability/grafana/dashboards/${dashboard.uid}.json`));
    const panels: any[] = model.panels.filter(({ type }: any) => type !== "row");
    const queries: { expr: string; legendFormat: string }[] = panels
      .flatMap(({ targets = [] }) => targets)
      .filter(({ expr }) => expr !== undefined);

    test("asks only for metrics that exist", () => {
      const variables: string[] = model.templating.list.flatMap(
        ({ definition = "" }) => /\((.+), \w+\)/.exec(definition)?.[1] ?? [],
      );
      const marks: string[] = model.annotations.list.map(({ expr }: any) => expr);
      const exprs = [...queries.map(({ expr }) => expr), ...variables, ...marks];
      expect(exprs.flatMap(expr => problemsOf(expr, known).map(problem => `${expr}: ${problem}`))).toEqual([]);
    });

    test("names its lines by labels that they have, and uses the variables that it declares", () => {
      const names = ["__rate_interval", "__range", ...dashboard.variables.map(({ name }) => name)];
      for (const { expr, legendFormat } of queries) {
        const labels = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label!);
        expect([expr, labels.filter(label => !groupingOf(expr).includes(label))]).toEqual([expr, []]);
        const used = [...expr.matchAll(/\$(\w+)/g)].map(([, name]) => name!);
        expect([expr, used.filter(name => !names.includes(name))]).toEqual([expr, []]);
      }
    });

    test("says of each panel in a sentence what it shows, and lays them side by side", () => {
      const taken = new Set<string>();
      for (const { title, description, gridPos } of panels) {
        expect([title, description]).toEqual([title, expect.stringMatching(/^[A-Z0-9`].{20,}\.$/s)]);
        expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
        for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
          for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
            expect(taken.has(`${x},${y}`)).toBe(false);
            taken.add(`${x},${y}`);
          }
      }
      expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    });
  },
);

describe("alerts", () => {
  const pages = globSync("docs/runbooks/*.md", { cwd: ROOT }).map(path => path.replaceAll("\\", "/"));

  test.each(alerts.map(alert => [alert.alert!, alert] as const))(
    "%s tells how urgent, what, and what to do",
    (name, alert) => {
      const { severity } = alert.labels!;
      expect(["page", "ticket", "none"]).toContain(severity);
      const { summary, description, runbook_url } = alert.annotations!;
      expect(summary).toMatch(/^.{10,}[^.]$/);
      expect(description).toMatch(/^.{20,}\.$/);
      expect(pages).toContain(runbook_url);
      expect(read(runbook_url!)).toContain(`\`${name}\``);
    },
  );

  test("have names of their own", () => {
    const names = alerts.map(({ alert }) => alert!);
    expect(names).toEqual([...new Set(names)]);
  });

  test.each(pages)("%s belongs to alerts, and says what it means, how to see and what to do", page => {
    const text = read(page);
    const [, named = ""] = text.split("\n\n");
    const owners = alerts.filter(({ annotations }) => annotations!["runbook_url"] === page).map(({ alert }) => alert!);
    expect([...named.matchAll(/`(\w+)`/g)].map(([, alert]) => alert!).toSorted()).toEqual(owners.toSorted());
    expect(text.match(/^##? .*/gm)!.slice(1)).toEqual(["## What it means", "## How to see", "## What to do"]);
  });

  test("are there for each check of the doctor that may FAIL", () => {
    const checks = Object.values(CHECKS).flatMap(group => Object.entries(group));
    // A deep examination is a command, whose exit code tells; nothing makes it in the background.
    const failing = checks.filter(([, check]) => "fails" in check && !("isDeep" in check)).map(([name]) => name);
    const named = alerts.map(({ labels }) => labels!["doctor"]).filter(name => name !== undefined);
    expect([...new Set(named)].toSorted()).toEqual(failing.toSorted());
  });

  test("name only routes that exist", () => {
    const paths = new Set(routes.map(({ method, url }) => `${method} ${url.replace("/api/v1", "")}`));
    const named = pages.flatMap(page =>
      [...read(page).matchAll(/`((?:GET|POST) \/ops[^?`]*)/g)].map(([, path]) => path!),
    );
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter(path => !paths.has(path))).toEqual([]);
  });

  test("of each file are seen firing by promtool's tests", () => {
    const tested = globSync("observability/prometheus/tests/*.yml", { cwd: ROOT }).map(read).join("");
    expect(
      alerts.map(({ alert }) => alert!).filter(name => !new RegExp(`alertname(="|: )${name}\\b`).test(tested)),
    ).toEqual([]);
  });
});

describe("the containers of compose.yaml", () => {
  const { services } = yaml("compose.yaml") as { services: Record<string, any> };
  const settings = yaml("observability/prometheus/prometheus.yml");

  test("are where Prometheus scrapes, and take its token", () => {
    for (const { job_name, authorization, static_configs } of settings.scrape_configs)
      for (const { targets } of static_configs)
        for (const target of targets as string[]) {
          const [host = "", port] = target.split(":");
          const container = services[host];
          if (host === "host.docker.internal") expect(services["prometheus"].extra_hosts[0]).toContain(host);
          else if (job_name === "collector") expect(read("observability/collector.yaml")).toContain(`port: ${port}`);
          else {
            expect([target, `${container?.environment.HEALTH_PORT}`]).toEqual([target, port]);
            expect(authorization.credentials).toBe(container.environment.METRICS_TOKEN);
          }
        }
  });

  test("run every node that has metrics to scrape", () => {
    const scraped = settings.scrape_configs.flatMap(({ static_configs }: any) =>
      static_configs.flatMap((one: any) => one.targets),
    );
    const nodes = Object.keys(services).filter(name => services[name].environment?.NODE_KEY !== undefined);
    expect(scraped.map((target: string) => target.split(":")[0])).toEqual(expect.arrayContaining(nodes));
  });

  test("find each other: Grafana its sources, the collector Jaeger", () => {
    const { datasources } = yaml("observability/grafana/provisioning/datasources/datasources.yaml");
    for (const { url, uid } of datasources) expect([uid, new URL(url).hostname in services]).toEqual([uid, true]);
    const uids = datasources.map(({ uid }: { uid: string }) => uid);
    for (const path of globSync("observability/grafana/dashboards/*.json", { cwd: ROOT }))
      for (const [, uid] of read(path).matchAll(/"type": "(?:prometheus|jaeger)",\s+"uid": "(\w+)"/g))
        expect(uids).toContain(uid);
    const { exporters } = yaml("observability/collector.yaml");
    expect(exporters["otlp/jaeger"].endpoint.split(":")[0] in services).toBe(true);
  });

  test("mount what the settings name", () => {
    const inside = (name: string) => (services[name].volumes as string[]).map(mount => mount.split(":"));
    expect(services["prometheus"].command).toContain("--enable-feature=exemplar-storage");
    expect(inside("prometheus").map(([, to]) => to)).toContain("/etc/prometheus/rules");
    const { providers } = yaml("observability/grafana/provisioning/dashboards/dashboards.yaml");
    const [folder] = inside("grafana").find(([, to]) => to === providers[0].options.path)!;
    const files = globSync(`${folder!}/*.json`, { cwd: ROOT }).map(path => basename(path, ".json"));
    expect(files.toSorted()).toEqual(DASHBOARDS.map(({ uid }) => uid).toSorted());
    const home = services["grafana"].environment.GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH;
    expect(files).toContain(basename(home, ".json"));
  });

  test("the pipelines of the collector name parts that it has", () => {
    const { service, ...parts } = yaml("observability/collector.yaml");
    for (const pipeline of Object.values<Record<string, string[]>>(service.pipelines))
      for (const [kind, names] of Object.entries(pipeline))
        expect(Object.keys(parts[kind])).toEqual(expect.arrayContaining(names));
  });
});
