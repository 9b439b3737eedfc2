// The first start: a catalog and stock. Everything before the mark at the end can be repeated, so a start that is
// killed halfway is completed by the next one. It runs beside the start, not in it: the services that it needs may
// start later, or in another process.
import type { Service, ServiceSchema } from "moleculer";
import { typedCall } from "@valence/runtime/contract";
import type { Database } from "@valence/runtime/database";
import { Sql } from "@valence/runtime/database/mixin";
import { gatewayEnvironment } from "@valence/runtime/gateway";
import { announce, backoffMs, isRefusal, rfc3339, urlOf } from "@valence/runtime/kernel";
import { seedProducts } from "../catalog/products.seed.ts";
import { seedEnvironment } from "../first-start.ts";
import { addressLines, HEADING } from "./ready-text.ts";

const STOCK_PER_SKU = 100;
const NEEDED = ["catalog", "inventory"];
/** Milliseconds of one wait for the other services; after each it checks whether the service is to stop. */
const PATIENCE_MS = 1_000;

/** `filled`: the first start's data is there, or not wanted. */
type Seed = Service & { database: Database; stopping: boolean; filled: boolean; running: Promise<void> };

const schema: ServiceSchema<object, object, any> = {
  name: "seed",
  mixins: [
    Sql({
      migrations: [
        {
          name: "001-marks",
          up: knex => knex.schema.createTable("marks", table => void table.string("at").notNullable()),
        },
      ],
    }),
  ],
  methods: {
    /** Not ready without its first products: the shop would turn its first customers away. */
    ready(this: Seed): boolean {
      return this.filled;
    },
  },
  created(this: Seed) {
    this.stopping = false;
    this.filled = false;
    const { WEB: hasPages } = gatewayEnvironment.of(this.broker);
    const lines = () =>
      addressLines({ api: urlOf(this.broker, "api"), provider: urlOf(this.broker, "payment-provider"), hasPages });
    announce(this, { heading: HEADING, lines });
  },
  started(this: Seed) {
    this.running = run(this).catch(error => this.logger.error("the first start's data is not complete:", error));
  },
  async stopped(this: Seed) {
    this.stopping = true;
    await this.running;
  },
};
export default schema;

/** Issues of the validator are the data itself; those of a refusal are in its data. */
type Refused = { readonly type: string; readonly message: string; readonly data?: any };

async function run(service: Seed): Promise<void> {
  const { broker } = service;
  if (seedEnvironment.of(broker).SEED)
    try {
      if (!(await untilDone(service, () => fillOnce(service)))) return;
    } catch (error) {
      // Stops the start: a shop that never gets its products must not look like one that will.
      const { type, message, data } = error as Refused;
      const issues = JSON.stringify((Array.isArray(data) ? data : data?.errors) ?? []);
      // A string, since an error would be printed with its stack.
      return broker.fatal("the first start's data is refused:", `${type} ${message} ${issues}` as never);
    }
  service.filled = true;
}

/** Fills the shop, unless an earlier start did; all of it may be repeated. False when the service is to stop first. */
async function fillOnce(service: Seed): Promise<boolean> {
  const { knex } = service.database;
  if (await knex("marks").first()) return true;
  if (!(await appear(service, NEEDED))) return false;

  const call = typedCall(service.broker);
  await call("catalog.seed", { products: [...seedProducts] });
  const receive = (sku: string) =>
    call("inventory.receive", { id: sku, quantity: STOCK_PER_SKU }, { commandId: `seed:${sku}` });
  await Promise.all(seedProducts.map(({ sku }) => receive(sku)));
  service.logger.info(`first start: ${seedProducts.length} products, ${STOCK_PER_SKU} of each in stock`);
  // Several workers may each set the mark: one is enough, more do no harm.
  await knex("marks").insert({ at: rfc3339(Date.now()) });
  return true;
}

/** Waits for the services; false when this one is to stop first. */
async function appear(service: Seed, names: string[]): Promise<boolean> {
  while (!service.stopping)
    try {
      await service.broker.waitForServices(names, PATIENCE_MS, 20);
      return true;
    } catch {
      service.logger.debug(`still waiting for ${names.join(", ")}`);
    }
  return false;
}

/**
 * Repeats the work with growing pauses until it succeeds; undefined when the service is to stop first. A refusal is
 * final and is thrown.
 */
async function untilDone<T>(service: Seed, work: () => Promise<T>): Promise<T | undefined> {
  for (let attempt = 1; !service.stopping; attempt++)
    try {
      return await work();
    } catch (error) {
      if (isRefusal(error)) throw error;
      service.logger.warn("filling the shop failed, trying again:", error);
      await new Promise(resolve => setTimeout(resolve, backoffMs(attempt, { capMs: PATIENCE_MS })));
    }
  return undefined;
}
