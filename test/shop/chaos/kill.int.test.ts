// @slow: it takes minutes, and begins first.
// `kill -9` under load, at every named failpoint and at random moments; then the laws of the shop must hold.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { setTimeout as sleep } from "node:timers/promises";
import { isOnPostgres, newDatabases, type Databases } from "@valence/runtime/testing/servers";
import { declaredIn } from "../../../mixins/cli/declared.ts";
import { serviceNames } from "../../../mixins/operations/services.ts";
import { Laboratory, repeatedly, seeded } from "./laboratory.ts";

const CALLERS = 8;
const RANDOM_KILLS = 4;
/** A failpoint that is not reached by then is a failpoint that tests nothing. */
const REACHED_WITHIN_MS = 20_000;

/** Those of the reshard are passed by another process. */
const points = (await declaredIn("services", serviceNames("services"))).failpoints.filter(
  name => !name.startsWith("reshard:"),
);
/** A stock has a snapshot every thousand events: more than the orders of one round make. */
const SELDOM = "snapshot:before-save";
/** A thousand receipts come before it: 10 s on two busy cores, and more than 20 s beside several suites. */
const SELDOM_REACHED_WITHIN_MS = 90_000;
/** So many of them on Postgres, others in each run: where its connections end has tests of its own. */
const ON_POSTGRES = 4;

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
  // Who ends in peace leaves what it has compiled to all those that are killed.
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

/** Until the process is gone, or for so long. */
async function load(withinMs: number, work = () => lab.order({ mayBeCut: true })): Promise<void> {
  const stop = repeatedly(CALLERS, work);
  for (const end = Date.now() + withinMs; lab.shop.child.running && Date.now() < end;) await sleep(10);
  await stop();
}

test(
  "P1 P3 P4 P5 killed at every failpoint and at random moments, every acknowledged order is there and reaches its end by itself",
  async () => {
    const survived: string[] = [];
    for (const name of isOnPostgres() ? drawn(ON_POSTGRES) : points) {
      // A few passes in, so that there is work at every stage when the process dies.
      const pass = 1 + Math.floor(chance.random() * 12);
      await restart(`${name}=kill#${name === SELDOM ? 1 : pass}`);
      await (name === SELDOM ? load(SELDOM_REACHED_WITHIN_MS, () => lab.receive()) : load(REACHED_WITHIN_MS));
      if (lab.shop.child.running) survived.push(name);
    }
    for (let i = 0; i < RANDOM_KILLS; i++) {
      await restart("");
      await load(300 + chance.random() * 1_500);
    }
    expect(survived).toEqual([]);

    await restart("");
    expect(lab.acknowledged.size).toBeGreaterThan(50);
    await lab.comesToRest();
    expect(await lab.shop.child.end("SIGTERM")).toBe(0);
    await lab.checkTheBooks();
  },
  8 * 60_000,
);
