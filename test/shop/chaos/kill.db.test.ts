// @slow: it takes minutes, and begins first. `kill -9` under load, at named failpoints and at random moments; then the
// invariants of the shop must hold.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { setTimeout as sleep } from "node:timers/promises";
import { isOnKafka, isOnPostgres, newDatabases, type Databases } from "@valence/runtime/testing/servers";
import { declaredIn } from "../../../mixins/cli/declared.ts";
import { serviceNames } from "../../../mixins/operations/services.ts";
import { isLong, Laboratory, repeatedly, seeded } from "./laboratory.ts";

const CALLERS = 8;
const RANDOM_KILLS = isLong ? 2 : 1;
const RANDOM_KILLS_MAX = 8;
/** Milliseconds within which each failpoint must be reached; otherwise it tests nothing. */
const REACHED_WITHIN_MS = 20_000;

/**
 * Another process passes those of the reshard, messages from outside are not here, and there is a relay only where a server
 * carries the events.
 */
const ELSEWHERE = isOnKafka() ? /^(reshard|ingress):/ : /^(reshard|ingress|relay):/;
const points = (await declaredIn("services", serviceNames("services"))).failpoints.filter(
  name => !ELSEWHERE.test(name),
);
/** A stock has a snapshot every thousand events: more than the orders of one round make. */
const SELDOM = "snapshot:before-save";
/** Receipts of one stock that reach it for certain. They are counted: a loaded machine takes longer than any fixed time. */
const RECEIPTS_MAX = 2_000;
/**
 * Number of failpoints tried in an ordinary run, different ones each time, and fewer on Postgres: other tests cover how
 * connections end there. `npm run test:chaos` tries all, and `npm run test:kafka` all with a relay to Kafka.
 */
const TRIED = isLong ? points.length : isOnPostgres() ? 1 : 2;
/** Orders that a round has to acknowledge, or it proves little. */
const ORDERS_MIN = 50;

const chance = seeded();
const drawn = (count: number): string[] =>
  points
    .map(name => ({ name, at: chance.random() }))
    .sort((a, b) => a.at - b.at)
    .slice(0, count)
    .map(({ name }) => name);
let databases: Databases;
let lab: Laboratory;
beforeAll(async () => {
  databases = await newDatabases();
  lab = await Laboratory.open(databases.folder, databases.env, chance);
  await lab.listens();
  // A process that ends cleanly leaves its compile cache to all those that are killed.
  await lab.shop.child.end("SIGTERM");
});
afterAll(async () => {
  await lab?.close();
  await databases.remove();
});

async function restart(failpoints: string): Promise<void> {
  await lab.shop.child.end("SIGKILL");
  await lab.shop.start(failpoints);
}

/** Orders until the process is gone, or for so long. */
function ordersFor(ms: number): Promise<void> {
  const end = Date.now() + ms;
  return load(
    () => lab.order({ mayBeCut: true }),
    () => Date.now() >= end,
  );
}

/** Receives pieces of one stock until the process is gone, or so often. */
function receipts(count: number): Promise<void> {
  const end = lab.receipts + count;
  return load(
    () => lab.receive(),
    () => lab.receipts >= end,
  );
}

async function load(work: () => Promise<void>, isOver: () => boolean): Promise<void> {
  const stop = repeatedly(CALLERS, work);
  while (lab.shop.child.running && !isOver()) await sleep(10);
  await stop();
}

test(
  "P1 P3 P4 P5 killed at failpoints and at random moments, every acknowledged order is there and reaches its end by itself",
  async () => {
    const survived: string[] = [];
    for (const name of drawn(TRIED)) {
      // Killed after a few passes, so that there is work at every stage when the process dies.
      const pass = 1 + Math.floor(chance.random() * 12);
      await restart(`${name}=kill#${name === SELDOM ? 1 : pass}`);
      await (name === SELDOM ? receipts(RECEIPTS_MAX) : ordersFor(REACHED_WITHIN_MS));
      if (lab.shop.child.running) survived.push(name);
    }
    // On a slow machine a start takes so long that few orders come through: there are more kills then.
    const isEnough = () => lab.acknowledged.size > ORDERS_MIN;
    for (let i = 0; i < RANDOM_KILLS || (!isEnough() && i < RANDOM_KILLS_MAX); i++) {
      await restart("");
      await ordersFor(300 + chance.random() * 1_500);
    }
    expect(survived).toEqual([]);

    await restart("");
    expect(lab.acknowledged.size).toBeGreaterThan(ORDERS_MIN);
    await lab.comesToRest();
    expect(await lab.shop.child.end("SIGTERM")).toBe(0);
    await lab.checkRecords();
  },
  8 * 60_000,
);
