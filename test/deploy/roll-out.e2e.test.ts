// The roll-out of a release, against a kubectl that records.
import { expect, test } from "@jest/globals";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { releaseOf } from "../../deploy/manifests.ts";
import { rollOut, type RollOutOptions } from "../../deploy/release.ts";
import { run } from "../../deploy/run.ts";
import { FakeCluster, type Scenario } from "./kubectl.fixture.ts";
import { hasKubectl, ROOT } from "./manifests.ts";

// Without kubectl the manifests cannot be rendered.
const each = hasKubectl() ? test.each : test.skip.each;
const image = (digit: string): string => `registry.example.com/valence@sha256:${digit.repeat(64)}`;
const [OLD, NEW] = [image("a"), image("b")];
const WORKLOADS = ["core", "gateway", "projections", "sagas"].map(name => `deployment/${name}`);
const CANARY = "deployment/gateway-canary";
const SMOKE = "npx valence smoke https://shop.example.com";
/** Milliseconds: the first test renders the overlay twice. */
const TEST_MS = 60_000;

const template = (name: string) => ({ spec: { containers: [{ image: name }] } });
/** A cluster in which OLD serves. Revision 3 is of a release that nobody wants back. */
const serving = () =>
  new Map(
    [...WORKLOADS, CANARY].map(id => [
      id,
      { kind: "Deployment", revision: 4, history: { 3: template(image("9")), 4: template(OLD) }, replicas: 2 },
    ]),
  );

async function rollingOut(scenario: Scenario, { canary = [] as number[], isEmpty = false } = {}) {
  const cluster = new FakeCluster(NEW, scenario, isEmpty ? new Map() : serving());
  const lines: string[] = [];
  const options: RollOutOptions = {
    run: cluster.run,
    say(line) {
      lines.push(line);
      cluster.isTakenBack ||= line === "== taking it back";
    },
    url: "https://shop.example.com",
    namespace: "valence",
    minutes: 1,
    canary,
    canarySeconds: 0,
    checksBackup: true,
  };
  const release = releaseOf(cluster.run, join(ROOT, "k8s/overlays/production"), NEW);
  const result = await rollOut(release, options).catch((error: Error) => error.message);
  const { calls } = cluster;
  return { cluster, calls, result, lines, at: (call: RegExp) => calls.findIndex(one => call.test(one)) };
}
const imagesIn = (cluster: FakeCluster) => WORKLOADS.map(id => cluster.imageOf(id));

each([[[]], [[5, 25]]])(
  "a release that serves: migration, then pods, then the smoke test (canary %j)",
  async canary => {
    const { cluster, calls, result, at } = await rollingOut({}, { canary });
    expect(result).toBe("serves");
    expect(imagesIn(cluster)).toEqual(WORKLOADS.map(() => NEW));
    expect(cluster.workloads.get(CANARY)!.replicas).toBe(0);
    expect(cluster.weights).toEqual(canary.length > 0 ? [5, 25, 0, 0] : [0]);
    const steps = [
      /delete job migrate/,
      /^ {2}Job migrate/,
      /get job migrate/,
      /^ {2}Deployment core/,
      /status deployment.core/,
    ];
    const places = [...steps.map(at), calls.lastIndexOf(SMOKE)];
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(places).not.toContain(-1);
    // What the Job needs has come before it; a Job that is there cannot be changed.
    expect(calls.filter(one => one === "  Job migrate")).toHaveLength(1);
    expect(at(/^ {2}ConfigMap valence-/)).toBeLessThan(at(/get job migrate/));
    // Once by header and twice a part; and at the end.
    expect(calls.filter(one => one.startsWith(SMOKE))).toHaveLength(canary.length > 0 ? 6 : 1);
    expect(at(/undo/)).toBe(-1);
  },
  TEST_MS,
);

each<[string, Scenario, { canary?: number[] }]>([
  ["the smoke test fails", { bad: "gateway" }, {}],
  ["a Deployment does not come up", { stuck: "deployment/sagas" }, {}],
  ["the canary fails", { bad: "gateway-canary" }, { canary: [5] }],
])(
  "taken back to the revision that served: %s",
  async (_what, scenario, options) => {
    const { cluster, calls, result } = await rollingOut(scenario, options);
    expect(result).toBe("taken back");
    expect(imagesIn(cluster)).toEqual(WORKLOADS.map(() => OLD));
    expect([cluster.workloads.get(CANARY)!.replicas, cluster.weights.at(-1)]).toEqual([0, 0]);
    // Nothing is taken back that has not changed.
    const undone = calls.filter(one => one.includes("rollout undo deployment/"));
    expect(undone).toEqual(options.canary ? [] : WORKLOADS.map(id => `kubectl rollout undo ${id} --to-revision=4`));
    expect(calls.at(-1)).toBe(SMOKE);
  },
  TEST_MS,
);

each<[string, Scenario, RegExp]>([
  ["the migration fails", { migration: "Failed" }, /^the migration failed:\ncolumn total exists already/],
  ["the newest copy is old", { backupHours: 40 }, /^the newest copy of postgres is 40 hours old$/],
  ["the log is not archived", { archiving: "False" }, /^the log of postgres is not archived/],
])(
  "no pod is touched: %s",
  async (_what, scenario, says) => {
    const { cluster, result, at } = await rollingOut(scenario);
    expect(result).toMatch(says);
    expect(imagesIn(cluster)).toEqual(WORKLOADS.map(() => OLD));
    expect([at(/ Deployment /), at(/undo/)]).toEqual([-1, -1]);
  },
  TEST_MS,
);

each([
  ["what served before does not serve either", false],
  ["there is none to go back to", true],
])(
  "a person is needed: %s",
  async (_what, isEmpty) => {
    const { result, at } = await rollingOut({ isDown: true }, { isEmpty });
    expect(result).toBe("needs a person");
    expect(at(/undo/) === -1).toBe(isEmpty);
  },
  TEST_MS,
);

each<[string, RegExp]>([
  ["the canary's end", /^kubectl apply/],
  ["the look at what has changed", /^kubectl get deployments/],
  ["a step back", /^kubectl rollout undo deployment.core/],
])(
  "a call that fails once does not leave two releases: %s",
  async (...[, call]) => {
    const { cluster, result } = await rollingOut({ stuck: "deployment/sagas", failing: { call, times: 1 } });
    expect(result).toBe("taken back");
    expect(imagesIn(cluster)).toEqual(WORKLOADS.map(() => OLD));
  },
  TEST_MS,
);

each([[]])(
  "a step back that cannot be done keeps no other from being done, and a person is told",
  async () => {
    const failing = { call: /rollout undo deployment.core/, times: Infinity };
    const { cluster, result, lines } = await rollingOut({ bad: "gateway", failing });
    expect(result).toBe("needs a person");
    expect(imagesIn(cluster)).toEqual([NEW, OLD, OLD, OLD]);
    expect(lines.at(-1)).toMatch(/^FAILED: kubectl rollout undo deployment.core.*connection refused$/);
  },
  TEST_MS,
);

test("a program that hangs is ended", () => {
  expect(() => run("sleep", ["60"], { timeoutMs: 50 })).toThrow("sleep 60: ");
});

test.each([
  [["--minutes", "soon"], "--minutes is a whole number"],
  [["--canary-seconds=-1"], "--canary-seconds is a number"],
  [["--minuts", "5"], "Unknown option"],
  [["--url", "shop.example"], "--url is a URL"],
])("the script refuses %j before it touches anything", (...[args, says]) => {
  const all = ["deploy/roll-out.ts", "k8s/overlays/production", OLD, "--url", "https://x.example", ...args];
  const { status, stderr } = spawnSync(process.execPath, all, { cwd: ROOT, encoding: "utf8" });
  expect([status, stderr]).toEqual([1, expect.stringContaining(says)]);
  expect(stderr).not.toContain("    at ");
});

test("the script refuses an image by its tag: the next pod could get another", () => {
  const args = [
    "deploy/roll-out.ts",
    "k8s/overlays/production",
    "registry.example.com/valence:1",
    "--url",
    "https://x.example",
  ];
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: "utf8" });
  expect([status, stderr]).toEqual([1, expect.stringContaining("name the image by its digest")]);
});
