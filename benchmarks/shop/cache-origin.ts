// The shop as `cache-layers.ts` measures it: two gateways on one bus, in one process; each layer of caches can be left out.
// It sends what it has counted when it is asked.
import { ServiceBroker, type ServiceSchema } from "moleculer";
import { brokerOptions } from "@valence/runtime/broker";
import { readEnvironment, type MetricDefinition } from "@valence/runtime/kernel";
import { metricOf } from "@valence/runtime/testing/broker";
import accounts from "../../services/accounts/accounts.service.ts";
import api from "../../services/api/api.service.ts";
import catalog from "../../services/catalog/catalog.service.ts";
import inventory from "../../services/inventory/inventory.service.ts";

export interface OriginTask {
  /** Variables of both nodes. */
  readonly env: Readonly<Record<string, string>>;
  /** The ports of the gateways. */
  readonly ports: readonly [number, number];
  readonly hasCacher: boolean;
  readonly products: number;
}
export interface Counted {
  /** Microseconds of CPU of the process. */
  readonly cpuUs: number;
  /** Requests that the first gateway has answered from its memory, and others. */
  readonly kept: number;
  readonly missed: number;
  /** Answers of the catalog that came from Moleculer's cacher, and others. */
  readonly cached: number;
  readonly read: number;
}

const { env, ports, hasCacher, products } = JSON.parse(process.argv[2]!) as OriginTask;

async function start(port: number, ...services: readonly ServiceSchema<any, any, any, any>[]): Promise<ServiceBroker> {
  const environment = readEnvironment({ ...env, PORT: `${port}`, NODEID: `node-${port}` });
  const options = { ...brokerOptions(environment), logger: false as const, ...(!hasCacher && { cacher: false }) };
  const broker = new ServiceBroker(options);
  for (const service of services) broker.createService(service);
  await broker.start();
  return broker;
}

const first = await start(ports[0], accounts, catalog, inventory, api);
const second = await start(ports[1], api);
await second.waitForServices(["catalog", "accounts"]);
const price = { amount: 1_000, currency: "EUR" };
for (let from = 0; from < products; from += 200) {
  const some = Array.from({ length: Math.min(200, products - from) }, (_, i) => ({
    sku: `SKU-${from + i}`,
    name: `Product ${from + i}`,
    description: "Matt oat glaze, wheel-thrown, with a wide handle. ".repeat(4),
    price,
    category: `shelf-${(from + i) % 20}`,
  }));
  await first.call("catalog.seed", { products: some }, { timeout: 120_000 });
}

async function counted(): Promise<Counted> {
  const { user, system } = process.cpuUsage();
  const valueOf = async (name: string, labels = {}): Promise<number> =>
    (await metricOf(first, { name } as MetricDefinition, labels)) ?? 0;
  const ofCatalog = { service: "catalog" };
  return {
    cpuUs: user + system,
    kept: await valueOf("valence_http_cache_hits_total"),
    missed: await valueOf("valence_http_cache_misses_total"),
    cached: await valueOf("valence_cacher_hits_total", ofCatalog),
    read: await valueOf("valence_cacher_misses_total", ofCatalog),
  };
}

process.on("message", () => void counted().then(counts => process.send!(counts)));
process.on("disconnect", () => process.exit());
process.send!({ isReady: true });
