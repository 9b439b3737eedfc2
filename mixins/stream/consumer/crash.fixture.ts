// A node with a consumer that writes and a reactor that calls, over a log that is always the same. It says when both
// have caught up. Tests kill it on its way and run it again in the same folder: `node crash.fixture.ts <folder>`.
import { appendFileSync } from "node:fs";
import { until } from "../../testing/index.ts";
import { Reactors } from "../mixin.ts";
import { consumersOf, Consuming } from "../siblings.ts";
import { defineReactor } from "../index.ts";
import { migrate } from "../../database/mixin.ts";
import { COMMAND_ID, readEnvironment } from "../../kernel/index.ts";
import { brokerOptions } from "../../broker/index.ts";
import { join } from "node:path";
import { ServiceBroker, type Service } from "moleculer";
import { Source } from "../log/source.fixture.ts";

const folder = process.argv[2]!;
const source = new Source("things", "thing", ["thing.made", "thing.used"]);
for (let i = 0; i < 600; i++) source.append(`${i % 20}`, i < 20 ? "thing.made" : "thing.used");

const broker = new ServiceBroker({ ...brokerOptions(readEnvironment()), logger: false });
broker.createService(source.schema());
broker.createService({
  name: "target",
  actions: {
    hit: (ctx: any) => appendFileSync(join(folder, "calls"), `${ctx.headers[COMMAND_ID]}\n`),
  },
});
const used = defineReactor({
  name: "hitter",
  on: { "thing.used": (_: unknown, { call }: any) => call("target.hit", {}) } as object,
});
broker.createService({
  name: "readers",
  mixins: [Consuming(["writer"], ["thing.made", "thing.used"]), Reactors(used)],
  async started(this: Service) {
    const consumers = await consumersOf(this);
    await migrate(consumers.database, "test", [
      {
        name: "applied",
        up: knex => knex.schema.createTable("applied", table => void table.string("event")),
      },
    ]);
    consumers.add({
      name: "writer",
      types: ["thing.made", "thing.used"],
      limits: { batch: 50 },
      async write(trx, events) {
        for (const { eventId } of events) await trx("applied").insert({ event: eventId });
        return new Map();
      },
    });
  },
});
await broker.start();
const consumers = await consumersOf(broker.getLocalService("readers"));
await until(
  () => consumers.all(),
  all => all.length === 2 && all.every(({ lagEvents, events }) => lagEvents === 0 && events === source.log.length),
);
const rows = await consumers.database.knex("applied");
process.stdout.write(JSON.stringify(rows.map(row => row.event)));
await broker.stop();
