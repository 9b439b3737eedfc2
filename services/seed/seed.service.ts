// The first start: an administrator, a catalog and stock. Everything before the mark at the end can be repeated, so a
// start that is killed half-way is completed by the next one. It runs beside the start, not in it: the services that it
// needs may start later, or in another process.
import { randomBytes } from "node:crypto";
import type { Service, ServiceSchema } from "moleculer";
import { typedCall } from "@valence/runtime/contract";
import type { Database } from "@valence/runtime/database";
import { Sql } from "@valence/runtime/database/mixin";
import { backoffMs, environmentOf, isRefusal, rfc3339, urlOf, type Environment } from "@valence/runtime/kernel";
import { seedProducts } from "../catalog/products.seed.ts";
import { readyText, type Administrator } from "./ready-text.ts";

const STOCK_PER_SKU = 100;
const NEEDED = ["accounts", "catalog", "inventory"];
/** How long one wait for the others lasts before we look whether we are to stop. */
const PATIENCE_MS = 1_000;

/** `filled`: whether the first start's data is there, or not wanted. */
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
    /** A shop without its first products and administrator would turn its first customers away. */
    ready(this: Seed): boolean {
      return this.filled;
    },
  },
  created(this: Seed) {
    this.stopping = false;
    this.filled = false;
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

type Filled = { readonly administrator: Administrator | undefined };
/** The validator's issues are the data itself, those of a refusal are in it. */
type Refused = { readonly type: string; readonly message: string; readonly data?: any };

async function run(service: Seed): Promise<void> {
  const { broker } = service;
  const environment = environmentOf(broker);
  let filled: Filled | undefined;
  if (environment.seed)
    try {
      filled = await untilDone(service, () => fillOnce(service, environment));
    } catch (error) {
      // A shop that never gets its administrator and products must not look like one that is about to.
      const { type, message, data } = error as Refused;
      const issues = JSON.stringify((Array.isArray(data) ? data : data?.errors) ?? []);
      // Its second part is printed whatever it is; an error would come with its stack.
      return broker.fatal("the first start's data is refused:", `${type} ${message} ${issues}` as never);
    }
  service.filled = true;
  if (
    !(await appear(
      service,
      broker.services.map(({ name }) => name),
    ))
  )
    return;
  // Not through the logger: logs are shipped and kept, and this may hold a password. Of several workers the first says it.
  if (broker.options.logger !== false && isFirst(environment)) {
    const addresses = { api: urlOf(broker, "api"), provider: urlOf(broker, "payment-provider") };
    process.stdout.write(readyText(addresses, filled?.administrator));
  }
  // Last of all. A start that is killed before it has shown the password makes up another one next time.
  if (!filled || !isFirst(environment)) return;
  await accountsOf(service)?.administratorShown();
  await service.database.knex("marks").insert({ at: rfc3339(Date.now()) });
}

/** Of several workers only the first makes the administrator: each would make up another password. */
const isFirst = ({ worker = 1 }: Environment): boolean => worker === 1;

/**
 * Asked as an object, not by the bus: what is an action can be called by any node of it, and an administrator is made by
 * this process or not at all.
 */
interface LocalAccounts {
  makeAdministrator(email: string, password: string): Promise<"made" | "kept" | "taken">;
  administratorShown(): Promise<void>;
}
const accountsOf = ({ broker }: Seed): LocalAccounts | undefined =>
  broker.getLocalService("accounts") as unknown as LocalAccounts | undefined;

/** Fills the shop, unless an earlier start did. Whatever it does may be repeated. */
async function fillOnce(service: Seed, environment: Environment): Promise<Filled | undefined> {
  if (await service.database.knex("marks").first()) return undefined;
  if (!(await appear(service, NEEDED))) return undefined;

  const call = typedCall(service.broker);
  const administrator = isFirst(environment) ? await makeAdministrator(service, environment) : undefined;
  await call("catalog.seed", { products: [...seedProducts] });
  const receive = (sku: string) =>
    call("inventory.receive", { id: sku, quantity: STOCK_PER_SKU }, { commandId: `seed:${sku}` });
  await Promise.all(seedProducts.map(({ sku }) => receive(sku)));
  service.logger.info(`first start: ${seedProducts.length} products, ${STOCK_PER_SKU} of each in stock`);
  return { administrator };
}

/** Undefined when there is one already, or the address is a customer's. */
async function makeAdministrator(
  service: Seed,
  { adminEmail: email, adminPassword }: Environment,
): Promise<Administrator | undefined> {
  const accounts = accountsOf(service);
  if (!accounts) {
    service.logger.error("there is no administrator: SERVICES must have accounts where it has seed");
    return undefined;
  }
  const password = adminPassword ?? randomBytes(12).toString("base64url");
  const outcome = await accounts.makeAdministrator(email, password);
  if (outcome === "taken")
    service.logger.warn(`ADMIN_EMAIL: ${email} is a customer already; there is no administrator`);
  if (outcome === "kept") service.logger.info("there is an administrator already");
  return outcome === "made" ? { email, password: adminPassword === undefined ? password : undefined } : undefined;
}

/** Waits for the services; false when we are to stop before they appear. */
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

/** Tries again, ever more slowly, until the work is done or we are to stop. What is refused once is refused for ever. */
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
