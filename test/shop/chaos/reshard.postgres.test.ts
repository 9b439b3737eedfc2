// @slow: it takes minutes, and begins first. `kill -9` of `npm run reshard`, in every phase of a move and at random
// moments, while a shop runs on the databases and takes orders. The steps are those that the README gives an operator.
import { afterAll, beforeAll, expect } from "@jest/globals";
import { setTimeout as sleep } from "node:timers/promises";
import { leftBehind } from "../../../mixins/event-store/dialects/postgres/reshard.fixture.ts";
import { until } from "@valence/runtime/testing";
import { Child, newDatabase, newDatabases, postgresUrl, query, type Databases } from "@valence/runtime/testing/servers";
import { Laboratory, longTest, repeatedly, seeded } from "./laboratory.ts";
import { failpoint } from "../../../mixins/event-store/failpoints.ts";

const CALLERS = 4;
/** Milliseconds between the orders of a caller: the faults take long, and the machine is shared. */
const PAUSE_MS = 50;
/**
 * Services whose stores move: actors that begin and end, sagas with their timers, and few actors that take every order.
 */
const SERVICES = ["orders", "checkout", "inventory"];
const RANDOM_KILLS = 4;
const PHASES = failpoint.names.filter(name => name.startsWith("reshard:"));
/** Milliseconds until a kill: a run that is killed sooner has done nothing yet, a later one may have finished. */
const RANDOM_KILL_MS = [300, 1_500] as const;

const chance = seeded();
const { random, pick } = chance;
let databases: Databases;
let second: Awaited<ReturnType<typeof newDatabase>>;
let lab: Laboratory;
const variable = (service: string): string => `${service.toUpperCase()}_DATABASE_URL`;
const locations = (url: string): Record<string, string> =>
  Object.fromEntries(SERVICES.map(service => [variable(service), url]));
let a: string;
let b: string;

beforeAll(async () => {
  databases = await newDatabases();
  second = await newDatabase(postgresUrl());
  a = databases.env["DATABASE_URL"]!;
  b = second.url;
  lab = await Laboratory.open(databases.folder, { ...databases.env, ...locations(a) }, chance);
});
afterAll(async () => {
  await lab?.close();
  await databases?.remove();
  await second?.drop();
});

/** Starts `npm run reshard`; resolves at its end. Without `killAfterMs` the process ends by itself. */
async function reshard(
  args: readonly string[],
  { failpoints, killAfterMs }: { failpoints?: string; killAfterMs?: number } = {},
): Promise<Child> {
  const child = new Child(["mixins/cli/valence.mjs", "reshard", ...args], {
    ...locations(`${b},${a}`),
    ...(failpoints !== undefined && { FAILPOINTS: failpoints }),
  });
  if (killAfterMs !== undefined) {
    await sleep(killAfterMs);
    await child.end("SIGKILL");
  }
  await until("reshard ends", () => !child.running, 60_000);
  return child;
}
const finished = async (...args: string[]): Promise<string> => {
  const child = await reshard(args);
  expect([child.process.exitCode, child.output]).toEqual([0, expect.any(String)]);
  return child.output;
};

longTest(
  "P1 P2 P3 P5 a reshard that is killed in every phase and started again moves the stores of a running shop, and no order is lost",
  async () => {
    const stop = repeatedly(CALLERS, () => lab.order({ mayBeCut: true }), PAUSE_MS);
    try {
      await lab.moreOrders(100);
      for (const service of SERVICES) {
        await reshard([service, "--add"], { killAfterMs: 200 + random() * 300 });
        await finished(service, "--add");
      }
      Object.assign(lab.shop.env, locations(`${a},${b}`));
      expect(await lab.shop.child.end("SIGTERM")).toBe(0);
      await lab.shop.start();
      await lab.moreOrders(20);

      const survived: string[] = [];
      for (const phase of PHASES) {
        // The kill comes in later groups of buckets too. Each run continues what the one before has left.
        const args = [pick(SERVICES)];
        const child = await reshard(args, { failpoints: `${phase}=kill#${1 + Math.floor(random() * 3)}` });
        if (child.process.signalCode !== "SIGKILL") survived.push(`${phase} of ${args[0]}: ${child.output}`);
        // The shop starts without waiting until the interrupted move is continued.
        if (phase === "reshard:sealed") {
          await lab.shop.child.end("SIGKILL");
          await lab.shop.start();
        }
      }
      expect(survived).toEqual([]);
      for (let i = 0; i < RANDOM_KILLS; i++) {
        const [least, most] = RANDOM_KILL_MS;
        await reshard([pick(SERVICES)], { killAfterMs: least + random() * (most - least) });
        await lab.moreOrders(1);
      }
      for (const service of SERVICES) expect(await finished(service)).toMatch(/moved and verified|spread evenly/);
      await lab.moreOrders(50);
    } finally {
      await stop();
    }
    await lab.comesToRest();
    expect(await lab.shop.child.end("SIGTERM")).toBe(0);
    await lab.checkRecords();
    for (const service of SERVICES) await checkShards(service);
  },
  8 * 60_000,
);

/** Each shard has its half of the buckets, with all their rows and no others; both shards have streams. */
async function checkShards(service: string): Promise<void> {
  const names: string[] = [];
  for (const url of [a, b]) {
    const [buckets] = await query(url, `select count(*)::int as owned from ${service}.buckets where state = 'owned'`);
    expect([service, url, buckets]).toEqual([service, url, { owned: 512 }]);
    expect([service, url, await leftBehind(url, service)]).toEqual([service, url, []]);
    const streams = await query(url, `select name from ${service}.streams`);
    expect(streams.length).toBeGreaterThan(0);
    names.push(...streams.map(({ name }) => name));
  }
  expect(new Set(names).size).toBe(names.length);
}
