// Two nodes record over JetStream: its sixteen partitions are read side by side on both, and meet in the same chains.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Source } from "../stream/log/source.fixture.ts";
import { newBrokers } from "../testing/broker.ts";
import { until } from "../testing/index.ts";
import { Nats } from "../testing/servers.ts";
import type { AuditService } from "./audit.ts";
import { Audit } from "./mixin.ts";
import { verifyDatabase } from "./verifying.ts";

let nats: Nats;
beforeAll(async () => void (nats = await Nats.start()));
afterAll(() => nats.stop());

test("events of all partitions are recorded once, also when one of the nodes goes and its readers move", async () => {
  const house = await newBrokers({ NATS_URL: nats.url, NAMESPACE: "audit", AUDIT_CHECKPOINT_SECONDS: "1" });
  const source = new Source("loans", "loan", ["loan.made"]);
  const first = await house.start(source.schema(), Audit());
  const second = await house.start(Audit());
  const { knex } = (first.getLocalService("audit") as AuditService).database;
  const append = (events: number): void => {
    for (let i = 0; i < events; i++) source.append(`${i % 40}`, "loan.made", { i });
  };
  const recorded = (count: number): Promise<any[]> =>
    until(
      () => knex("audit_records").select("subject", "version"),
      rows => rows.length >= count,
    );
  append(400);
  await recorded(400);
  append(200);
  await second.stop();
  append(200);
  const rows = await recorded(800);
  expect([rows.length, new Set(rows.map(({ subject, version }) => `${subject}@${version}`)).size]).toEqual([800, 800]);
  await until(async () => (await first.call<any, object>("audit.status", {})).checkpoint !== undefined);
  expect(await verifyDatabase(knex, {})).toMatchObject({ ok: true, records: 800 });
  await house.stop();
});
