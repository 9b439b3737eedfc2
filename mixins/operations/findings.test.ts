import { expect, test } from "@jest/globals";
import { ServiceBroker, type Service, type ServiceSchema } from "moleculer";
import { mayCallForNobody } from "../broker/identity/calls-of-nobody.ts";
import { healthReport } from "../broker/health-report.ts";
import { readEnvironment } from "../kernel/index.ts";
import { metersOf } from "../metrics/index.ts";
import { Consuming } from "../stream/siblings.ts";
import { metricOf } from "../testing/metric.ts";
import { until } from "../testing/until.ts";
import { CHECKS } from "./doctor/checks.ts";
import { NodeDoctor } from "./doctor/node.ts";
import { tellFindings } from "./findings.ts";
import { operationsMetrics } from "./metrics.ts";

type Finding = { check: string; status: string };

/** A node whose operations answer these findings, or fail; and how often they were asked. */
async function nodeWith(
  findings: Finding[] | Error,
): Promise<{ broker: ServiceBroker; service: Service; asked: number }> {
  const broker = new ServiceBroker({ logger: false, valence: readEnvironment({}) } as object);
  const node = { broker, service: undefined as unknown as Service, asked: 0 };
  node.service = broker.createService({
    name: "ops",
    actions: {
      doctor() {
        node.asked++;
        if (findings instanceof Error) throw findings;
        return { findings };
      },
    },
  });
  await broker.start();
  return node;
}

/** The values at a scrape by check and status, and how old they are. */
async function scraped(broker: ServiceBroker) {
  const families = await metersOf(broker)!.families();
  const values = (name: string) => families.find(family => family.name === name)?.values ?? [];
  const findings = values("valence_doctor_findings").map(({ labels, value }: any) => [
    `${labels.check} ${labels.status}`,
    value,
  ]);
  return { findings: Object.fromEntries(findings), age: values("valence_doctor_examined_seconds")[0]?.value };
}

test("an examination is made once somebody scrapes, and later scrapes tell what it has found", async () => {
  const node = await nodeWith([
    { check: "sagas", status: "FAIL" },
    { check: "sagas", status: "FAIL" },
    { check: "wal", status: "warn" },
  ]);
  const end = tellFindings(node.service, { firstAfterMs: 0, everyMs: 60_000 });
  expect(node.asked).toBe(0);
  expect((await scraped(node.broker)).findings).toEqual({});
  await until("the findings are told", async () => "sagas FAIL" in (await scraped(node.broker)).findings);
  const { findings, age } = await scraped(node.broker);
  expect(findings).toMatchObject({ "sagas FAIL": 2, "sagas warn": 0, "wal warn": 1, "durability FAIL": 0 });
  expect(Object.keys(findings)).toHaveLength(2 * Object.values(CHECKS).flatMap(checks => Object.keys(checks)).length);
  expect(age).toBeGreaterThanOrEqual(0);
  expect(node.asked).toBe(1);
  end();
  expect((await scraped(node.broker)).age).toBeUndefined();
  await node.broker.stop();
});

test("the clock that differs most is told, by the node with the operations", async () => {
  const node = await nodeWith([]);
  node.broker.createService({
    name: "$health",
    actions: { clock: () => ({ askedAt: Date.now() - 90_000, answeredAt: Date.now() - 90_000 }) },
  });
  await node.broker.waitForServices("$health");
  tellFindings(node.service, { firstAfterMs: 60_000, everyMs: 60_000 });
  const skew = await metricOf(node.broker, operationsMetrics.clockSkew);
  expect(skew).toBeGreaterThan(85);
  expect(skew).toBeLessThanOrEqual(90);
  await node.broker.stop();
});

test("an examination that fails is not made again at once, and the last one grows old", async () => {
  const node = await nodeWith(new Error("no node answers"));
  tellFindings(node.service, { firstAfterMs: 0, everyMs: 60_000 });
  for (let i = 0; i < 3; i++) await scraped(node.broker);
  expect(await scraped(node.broker)).toEqual({ findings: {}, age: expect.any(Number) });
  expect(node.asked).toBe(1);
  await node.broker.stop();
});

test("a node that has just started does not examine, nor one that is not the first with operations", async () => {
  const node = await nodeWith([]);
  tellFindings(node.service, { firstAfterMs: 60_000, everyMs: 60_000 });
  expect((await scraped(node.broker)).age).toBeGreaterThanOrEqual(0);
  expect(node.asked).toBe(0);
  await node.broker.stop();
  const other = await nodeWith([]);
  tellFindings({ broker: other.broker, fullName: "elsewhere" } as Service, { firstAfterMs: 0, everyMs: 0 });
  expect((await scraped(other.broker)).age).toBeUndefined();
  await other.broker.stop();
});

test("in a cluster with keys its questions are for the role that runs the operations, and for no other", () => {
  const services: ServiceSchema[] = [];
  void healthReport.starting!({
    createService: (schema: ServiceSchema) => services.push(schema),
    options: {},
  } as never);
  const questions = [
    ["$doctor", NodeDoctor("services").actions!["examine"]],
    ["$health", services[0]!.actions!["clock"]],
    ["shelves", Consuming([], []).actions!["consumers"]],
  ] as const;
  for (const [service, action] of questions) {
    const judged = { name: service, ...(action as { permission: string; callers: string[] }) };
    const role = (name: string, ...runs: string[]) => ({ name, services: runs }) as never;
    expect(mayCallForNobody(role("views", "ops"), service, judged)).toBe(true);
    expect(mayCallForNobody(role("core", "books"), service, judged)).toBe(false);
  }
});
