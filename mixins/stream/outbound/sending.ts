// The parts that send public events of one service to webhooks: its database, the sender, and what it counts and tells of itself.
import type { Service } from "moleculer";
import { databaseOf } from "../../database/siblings.ts";
import { migrate } from "../../database/mixin.ts";
import type { Database } from "../../database/index.ts";
import { dependsOn, type DependencyState } from "../../kernel/index.ts";
import { metersOf, reading } from "../../metrics/index.ts";
import { Deliveries } from "./deliveries.ts";
import { outboundEnvironment } from "./environment.ts";
import { limits } from "./limits.ts";
import { outboundMetrics } from "./metrics.ts";
import { migrations } from "./migrations.ts";
import { Networks } from "./networks.ts";
import { Poster } from "./post.ts";
import { Sender, type SenderOptions } from "./sender.ts";
import { Webhooks } from "./webhooks.ts";

export interface Sending {
  readonly database: Database;
  readonly webhooks: Webhooks;
  readonly deliveries: Deliveries;
  readonly poster: Poster;
  readonly networks: Networks;
  readonly sender: Sender;
}
const sendings = new WeakMap<Service, Promise<Sending>>();

/** The tables of webhooks are not made again from a log: a commit is on disk before it is answered. */
export async function outboundTables(service: Service): Promise<Database> {
  const database = await databaseOf(service);
  await migrate(database, "outbound", migrations);
  return database;
}

/** The parts of a service, opened once. */
export function sendingOf(service: Service): Promise<Sending> {
  const known = sendings.get(service);
  if (known) return known;
  const opening = openSending(service);
  sendings.set(service, opening);
  return opening;
}

/** Ends what a service sends; nothing where it has not begun. */
export async function stopSending(service: Service): Promise<void> {
  await (await sendings.get(service))?.sender.stop();
}

async function openSending(service: Service): Promise<Sending> {
  const database = await outboundTables(service);
  const networks = new Networks(outboundEnvironment.of(service.broker).WEBHOOK_NETWORKS);
  const webhooks = new Webhooks(database);
  const deliveries = new Deliveries(database, webhooks);
  const poster = new Poster(networks);
  const count = counting(service, webhooks, deliveries);
  const now = (): Promise<number> => database.now();
  const sender = new Sender({ webhooks, deliveries, poster, now, logger: service.logger, count });
  dependsOn(service.broker, { kind: "webhooks", name: service.fullName, ask: () => webhooksState(webhooks) });
  return { database, webhooks, deliveries, poster, networks, sender };
}

async function webhooksState(webhooks: Webhooks): Promise<DependencyState> {
  const [first, ...others] = await webhooks.disabled();
  if (!first) return { status: "ok", message: "no webhook is disabled" };
  const which = others.length === 0 ? `webhook ${first.id} is` : `${others.length + 1} webhooks are`;
  return {
    status: "warn",
    message: `${which} disabled: ${first.reason}`,
    advice: `talk to the receiver, then \`webhook ${first.id} resume\`, and \`replay\` what it has missed`,
    figures: { disabled: others.length + 1 },
  };
}

/** Counts attempts; rows are read at a scrape. */
function counting(service: Service, webhooks: Webhooks, deliveries: Deliveries): SenderOptions["count"] {
  const meters = metersOf(service.broker);
  if (!meters) return undefined;
  const labels = { service: service.fullName };
  const read = async () => [
    reading(outboundMetrics.waiting, await deliveries.waiting(), labels),
    reading(outboundMetrics.disabled, (await webhooks.disabled()).length, labels),
  ];
  meters.read("webhooks", read, { keptMs: limits.metricsKeptMs });
  const series = {
    delivered: meters.counter(outboundMetrics.deliveries, { ...labels, outcome: "delivered" }),
    postponed: meters.counter(outboundMetrics.deliveries, { ...labels, outcome: "postponed" }),
    given_up: meters.counter(outboundMetrics.deliveries, { ...labels, outcome: "given_up" }),
  };
  return outcome => series[outcome].add();
}
