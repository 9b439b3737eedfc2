// The shop as `cache-layers.ts` measures it: two gateways on one bus, in one process; each layer of caches can be left out.
// It sends what it has counted when it is asked.
import { ServiceBroker, type ServiceSchema } from "moleculer";
import { brokerOptions } from "@valence/runtime/broker";
import { readEnvironment } from "@valence/runtime/kernel";
import { metricOf } from "@valence/runtime/testing/broker";
import { callMetrics } from "../../mixins/broker/metrics.ts";
import { gatewayMetrics } from "../../mixins/gateway/metrics.ts";
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
for (let from = 0; from < products; from += 1_000) {
  const some = Array.from({ length: Math.min(1_000, products - from) }, (_, i) => ({
    sku: `SKU-${from + i}`,
    name: `Product ${from + i}`,
    description: "Matt oat glaze, wheel-thrown, with a wide handle. ".repeat(4),
    price,
    category: `shelf-${(from + i) % 20}`,
  }));
  await first.call("catalog.seed", { products: some });
}

process.on("message", async () => {
  const { user, system } = process.cpuUsage();
  const valueOf = async (metric: Parameters<typeof metricOf>[1], labels = {}) =>
    (await metricOf(first, metric, labels)) ?? 0;
  const ofCatalog = { service: "catalog" };
  process.send!({
    cpuUs: user + system,
    kept: await valueOf(gatewayMetrics.cacheHits),
    missed: await valueOf(gatewayMetrics.cacheMisses),
    cached: await valueOf(callMetrics.cacheHits, ofCatalog),
    read: await valueOf(callMetrics.cacheMisses, ofCatalog),
  } satisfies Counted);
});
process.on("disconnect", () => process.exit());
process.send!({ isReady: true });
