// The mixin of a service whose answers a network before the gateway keeps.
import type { Knex } from "knex";
import type { Service, ServiceSchema } from "moleculer";
import type { Mixin } from "../contract/index.ts";
import { migrate } from "../database/mixin.ts";
import type { Database } from "../database/index.ts";
import { databaseOf, keepsTables } from "../database/siblings.ts";
import { dependsOn, type DependencyState } from "../kernel/index.ts";
import { metersOf, reading } from "../metrics/index.ts";
import { cdnEnvironment } from "./environment.ts";
import { limits } from "./limits.ts";
import { cdnMetrics } from "./metrics.ts";
import { migrations } from "./migrations.ts";
import { Network } from "./network.ts";
import { PurgeLog } from "./purge-log.ts";
import { Purger, type PurgerOptions } from "./purger.ts";

/** The additions of the mixin to `this`. Without `CDN_PURGE_URL` they do nothing. */
export interface Purging {
  readonly purges: {
    /**
     * In the transaction of a change: answers with one of these tags are untrue from its commit on. The network is told of it
     * within a second, at least once.
     */
    note(trx: Knex, tags: readonly string[]): Promise<void>;
    /** After the commit, and after the service's own caches are clean: the network is told now. */
    wake(): void;
  };
}

const OFF: Purging["purges"] = { note: async () => {}, wake: () => {} };

/**
 * Purges answers from the network that `CDN_PURGE_URL` names. `mixins: [Crud({ … onChange }), Purges()]`, then
 * `await this.purges.note(trx, ["books", "book:7"])` in the transaction and `this.purges.wake()` after it. The tags are
 * those of the routes' `cache`.
 */
export function Purges(): Mixin<Purging> {
  const parts = new WeakMap<Service, Purger>();
  return {
    created(this: Service & { purges: Purging["purges"] }) {
      this.purges = OFF;
      if (isOn(this)) keepsTables(this, () => tablesOf(this));
    },
    async started(this: Service & { purges: Purging["purges"] }) {
      if (!isOn(this)) return;
      const log = new PurgeLog(await tablesOf(this));
      const purger = await purgerOf(this, log);
      parts.set(this, purger);
      this.purges = { note: (trx, tags) => log.note(trx, tags), wake: () => purger.wake() };
      purger.start();
    },
    async stopped(this: Service) {
      await parts.get(this)?.stop();
    },
  } as Partial<ServiceSchema> as Mixin<Purging>;
}

const isOn = ({ broker }: Service): boolean => cdnEnvironment.of(broker).CDN_PURGE_URL !== undefined;

async function tablesOf(service: Service): Promise<Database> {
  const database = await databaseOf(service);
  await migrate(database, "cdn", migrations);
  return database;
}

async function purgerOf(service: Service, log: PurgeLog): Promise<Purger> {
  const { broker, fullName: name, logger } = service;
  const { CDN_PURGE_URL: url, CDN_PURGE_FORM: form, CDN_PURGE_TOKEN: token } = cdnEnvironment.of(broker);
  const network = new Network({ url: url!, form, token });
  const database = await databaseOf(service);
  const purger = new Purger({ log, network, now: () => database.now(), logger, ...counting(service, log) });
  dependsOn(broker, { kind: "cdn", name, ask: () => stateOf(network, log, purger) });
  return purger;
}

async function stateOf({ name }: Network, log: PurgeLog, { trouble }: Purger): Promise<DependencyState> {
  const ageMs = await log.age();
  const figures = { waitingMs: Math.round(ageMs) };
  if (ageMs < limits.lateMs) return { status: "ok", message: `${name} is told of changes`, figures };
  const why = trouble === undefined ? "another node sends them, or none does" : trouble;
  return {
    status: "warn",
    message: `${name} has not been told of changes for ${Math.round(ageMs / 1_000)} s: ${why}`,
    advice: "clients see old answers until they end by themselves; docs/runbooks/purges.md",
    figures,
  };
}

function counting({ broker, fullName: service }: Service, log: PurgeLog): Pick<PurgerOptions, "onSent" | "onFailed"> {
  const meters = metersOf(broker);
  if (!meters) return {};
  const read = async () => [reading(cdnMetrics.age, (await log.age()) / 1_000, { service })];
  meters.read("cdn", read, { keptMs: limits.metricsKeptMs });
  const sent = meters.counter(cdnMetrics.purges, { service, outcome: "sent" });
  const failed = meters.counter(cdnMetrics.purges, { service, outcome: "failed" });
  const duration = meters.histogram(cdnMetrics.duration, { service });
  return {
    onSent(sinceChangeMs) {
      sent.add();
      if (sinceChangeMs !== undefined) duration.observe(sinceChangeMs / 1_000);
    },
    onFailed: () => failed.add(),
  };
}
