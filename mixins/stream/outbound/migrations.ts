// Tables of webhooks, in the database of the service that sends public events.
import type { Knex } from "knex";

export const migrations = [
  {
    name: "001_webhooks",
    async up(knex: Knex): Promise<void> {
      await knex.schema.createTable("webhooks", table => {
        table.string("id").primary();
        table.text("url").notNullable();
        // JSON: names of public events.
        table.text("events").notNullable();
        table.string("state").notNullable();
        // Why it is disabled.
        table.text("reason");
        // The secrets leave the service in no answer but that which made them. They are kept as they are, as the keys that
        // sign tokens are: the service signs with them.
        table.string("secret").notNullable();
        table.string("old_secret");
        table.bigInteger("old_secret_until");
        table.bigInteger("created_at").notNullable();
        table.bigInteger("succeeded_at");
        // Failures in a row, the last one, and the time of failing that they make.
        table.integer("failures").notNullable().defaultTo(0);
        table.bigInteger("failed_at");
        table.bigInteger("failing_ms").notNullable().defaultTo(0);
        // Until then nothing is sent: it cannot be reached, or asks for time.
        table.bigInteger("held_until");
      });
      await knex.schema.createTable("public_events", table => {
        table.string("id").primary();
        table.string("event").notNullable();
        table.bigInteger("at_ms").notNullable().index();
        // The CloudEvent, as it is sent.
        table.text("body").notNullable();
      });
      await knex.schema.createTable("webhook_deliveries", table => {
        table.string("id").primary();
        table.string("webhook").notNullable();
        table.string("event").notNullable();
        table.string("state").notNullable();
        table.bigInteger("queued_at").notNullable().index();
        // Null once it is delivered or given up.
        table.bigInteger("next_at");
        table.integer("attempts").notNullable().defaultTo(0);
        // The last attempt.
        table.bigInteger("attempted_at");
        table.integer("status");
        table.integer("ms");
        table.text("reason");
        table.unique(["webhook", "event"]);
        table.index(["webhook", "next_at"]);
      });
    },
  },
];

/** The indexes that the migrations make on Postgres, by table, as `npm run doctor` looks for them. */
export const OUTBOUND_INDEXES: Readonly<Record<string, readonly string[]>> = {
  webhooks: ["unique (id)"],
  public_events: ["unique (id)", "(at_ms)"],
  webhook_deliveries: ["unique (id)", "(queued_at)", "unique (webhook, event)", "(webhook, next_at)"],
};
