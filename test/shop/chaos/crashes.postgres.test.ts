// @slow: it takes minutes, and begins first.
// The database server under a running shop crashes, again and again, under load.
import { afterAll, beforeAll, expect } from "@jest/globals";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Postgres } from "@valence/runtime/testing/servers";
import { Laboratory, longTest, repeatedly, seeded } from "./laboratory.ts";

const CALLERS = 6;
const CRASHES = 5;
/** Milliseconds that the server is up between two crashes, and milliseconds that it is away. */
const UP_MS = [1_500, 4_000] as const;
const AWAY_MS = [50, 3_000] as const;
/** Pages that customers read meanwhile. */
const PAGES = ["/api/v1/me", "/api/v1/products?q=mug", "/api/v1/cart", "/api/v1/orders", "/api/v1/orders?page=2"];

const chance = seeded();
const between = ([least, most]: readonly [number, number]): number => least + chance.random() * (most - least);
let folder: string;
let server: Postgres;
let lab: Laboratory;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "crashes-"));
  server = await Postgres.start();
  lab = await Laboratory.open(folder, { DATA_DIR: folder, DATABASE_URL: server.url() }, chance);
});
afterAll(async () => {
  await lab?.close();
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

longTest(
  "P1 P3 P4 P5 Postgres crashes under a running shop: it says when to try again, stays up, and every order reaches its end by itself",
  async () => {
    const looked = { pages: 0, putOff: 0 };
    const look = async (): Promise<void> => {
      const answer = await lab.get(chance.pick(PAGES));
      if (lab.isPutOff(answer)) looked.putOff += 1;
      else {
        expect(answer).toMatchObject({ status: 200 });
        looked.pages += 1;
      }
      await sleep(20);
    };
    const stops = [repeatedly(CALLERS, () => lab.order({ mayBeCut: false })), repeatedly(2, look)];
    try {
      for (let i = 0; i < CRASHES; i++) {
        await lab.moreOrders(10);
        await sleep(between(UP_MS));
        await server.halt("SIGQUIT");
        await sleep(between(AWAY_MS));
        await server.start();
      }
      await lab.moreOrders(10);
    } finally {
      for (const stop of stops) await stop();
    }
    expect(lab.shop.child.running).toBe(true);
    // Both kinds of answers occurred: the crashes met the orders. An order may outlast a crash; a read is answered at
    // once.
    expect(Math.min(looked.pages, looked.putOff)).toBeGreaterThan(0);
    await lab.comesToRest();
    expect(await lab.shop.child.end("SIGTERM")).toBe(0);
    await lab.checkRecords();
  },
  5 * 60_000,
);
