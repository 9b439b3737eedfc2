// The service that keeps the audit: a consumer of every event of every service and of every journal of a saga, and the actions that read what it wrote.
import type { Service, ServiceBroker, ServiceSchema } from "moleculer";
import { defineService, listedServices } from "../contract/index.ts";
import { Sql } from "../database/mixin.ts";
import type { Database } from "../database/index.ts";
import { contentBytesMax, dependsOn, minutes, PersonalFields, seconds, Turns } from "../kernel/index.ts";
import { consumersOf, Consuming, singletonOf, type Consumer } from "../stream/siblings.ts";
import { anchorOf } from "./anchor.ts";
import { Chains } from "./chains.ts";
import { contract } from "./contract.ts";
import { auditEnvironment, pemOf } from "./environment.ts";
import { exportPage } from "./export.ts";
import { Keeper } from "./keeper.ts";
import { signingKeyOf } from "./keys.ts";
import { limits as LIMITS, type AuditLimits } from "./limits.ts";
import { headsIn } from "./lines.ts";
import { keepingState, measureAudit } from "./measure.ts";
import { migrations } from "./migrations.ts";
import { listed } from "./query.ts";
import { entryOf, type Unrecorded } from "./record.ts";
import type { SigningKey } from "./signing.ts";
import { Verifying } from "./verifying.ts";

/** Name of the consumer. Under another one it would record every event once more. */
const CONSUMER = "audit";

export type AuditService = Service & {
  database: Database;
  key: SigningKey;
  keeper: Keeper;
  verifying: Verifying;
};

/**
 * The schema of the service `audit`: `export default Audit();`. It records every event of every service, with who caused it,
 * exactly once, in chains of hashes that it signs. `limits` are for tests.
 */
export const Audit = (limits: Partial<AuditLimits> = {}): ServiceSchema =>
  defineService(contract, {
    mixins: [Sql({ migrations }), Consuming([CONSUMER], "all")],
    async started() {
      const all = { ...LIMITS, ...limits };
      const { AUDIT_SIGNING_KEY, AUDIT_CHECKPOINT_SECONDS, AUDIT_RETENTION_DAYS } = auditEnvironment.of(this.broker);
      const { database } = this;
      this.key = await signingKeyOf(database, AUDIT_SIGNING_KEY && pemOf(AUDIT_SIGNING_KEY));
      const anchor = anchorOf(this.broker);
      const singleton = await singletonOf(this as Service, "audit");
      this.keeper = new Keeper({
        database,
        key: this.key,
        anchor,
        everyMs: seconds(AUDIT_CHECKPOINT_SECONDS),
        keptMs: AUDIT_RETENTION_DAYS && AUDIT_RETENTION_DAYS * minutes(24 * 60),
        limits: all,
        holds: () => singleton.holds(),
        logger: this.logger,
      });
      this.verifying = new Verifying(database.knex, [this.key.publicPem], anchor);
      const consumers = await consumersOf(this as Service);
      consumers.add(consumer(this.broker, database, new Chains(this.key, all.partitions)));
      this.keeper.start();
      measureAudit(this, this.keeper);
      dependsOn(this.broker, { kind: "audit", name: this.fullName, ask: () => keepingState(this.keeper) });
    },
    async stopped() {
      await (this as Partial<AuditService>).keeper?.stop();
    },
    actions: {
      list(ctx) {
        return listed(this.database.knex, ctx.params);
      },
      verify() {
        return this.verifying.ask();
      },
      export(ctx) {
        return exportPage(this.database.knex, {
          cursor: ctx.params.cursor,
          bytesMax: contentBytesMax(this.broker),
        });
      },
      async status() {
        const { key, keeper, database } = this as unknown as AuditService;
        const { checkpoint, unanchored, removedUpTo } = await keeper.status();
        return {
          heads: await headsIn(database.knex),
          ...(checkpoint && { checkpoint }),
          ...(unanchored !== undefined && { unanchored }),
          removedUpTo,
          key: { id: key.id, publicKey: key.publicPem },
          ...(keeper.trouble !== undefined && { trouble: keeper.trouble.says }),
        };
      },
    },
  });

function consumer(broker: ServiceBroker, database: Database, chains: Chains): Consumer {
  // One after the other here: a reader that waits for a head's row in the database holds a connection of the pool.
  const turns = new Turns();
  const marked = new MarkedFields(broker);
  return {
    name: CONSUMER,
    types: "all",
    journals: true,
    transactions: { transaction: (work, options) => turns.take(() => database.transaction(work, options)) },
    async write(trx, events) {
      const unrecorded = marked.known();
      await chains.append(
        trx,
        events.map(event => entryOf(event, unrecorded)),
      );
      return new Map();
    },
  };
}

/**
 * The fields that contracts mark as secret or personal, of all services that have ever been seen here: events of a service are
 * read only after it was seen, and may still come when it is away.
 */
class MarkedFields implements Unrecorded {
  readonly secrets = new Set<string>();
  readonly personal = new PersonalFields();
  readonly #broker: ServiceBroker;
  constructor(broker: ServiceBroker) {
    this.#broker = broker;
  }
  known(): Unrecorded {
    for (const { metadata } of listedServices(this.#broker, { skipInternal: true })) {
      for (const name of metadata?.secrets ?? []) this.secrets.add(name);
      this.personal.add(metadata?.personal ?? []);
    }
    return this;
  }
}
