// Tables of every consumer, in the database of the service that consumes.
import type { Knex } from "knex";

export const migrations = [
  {
    name: "001_consumers",
    async up(knex: Knex): Promise<void> {
      await knex.schema.createTable("checkpoints", table => {
        table.string("consumer").notNullable();
        table.string("source").notNullable();
        table.string("partition").notNullable();
        table.string("cursor").notNullable();
        // Moved by every commit of the consumer. The cursor alone would not tell two consumers apart: a repair or a
        // retry commits without moving it.
        table.bigInteger("revision").notNullable();
        table.bigInteger("events").notNullable();
        table.string("event_at");
        table.primary(["consumer", "source", "partition"]);
      });
      await knex.schema.createTable("consumer_versions", table => {
        table.string("consumer").notNullable();
        table.string("actor_stream").notNullable();
        table.integer("version").notNullable();
        table.primary(["consumer", "actor_stream"]);
      });
      await knex.schema.createTable("parked_streams", table => {
        table.string("consumer").notNullable();
        table.string("actor_stream").notNullable();
        table.string("source").notNullable();
        table.string("partition").notNullable();
        table.string("state").notNullable();
        table.integer("attempts").notNullable();
        table.bigInteger("next_at").notNullable();
        table.text("error").notNullable();
        table.primary(["consumer", "actor_stream"]);
      });
      await knex.schema.createTable("dead_letters", table => {
        table.increments("id");
        table.string("consumer").notNullable();
        table.string("actor_stream").notNullable();
        table.integer("version").notNullable();
        table.text("event").notNullable();
        table.string("at").notNullable();
        table.unique(["consumer", "actor_stream", "version"]);
      });
      await knex.schema.createTable("leases", table => {
        table.string("name").primary();
        table.string("holder").notNullable();
        table.integer("epoch").notNullable();
        table.bigInteger("expires_at").notNullable();
      });
    },
  },
  {
    // In a service that owns events: how far its log has been published.
    name: "002_relays",
    up: (knex: Knex) =>
      knex.schema.createTable("relays", table => {
        table.string("source").primary();
        // Names the log; another one in each new database, whose events are not those that were published before.
        table.string("log").notNullable();
        table.string("cursor").notNullable();
      }),
  },
  {
    name: "003_tries",
    up: (knex: Knex) =>
      knex.schema.alterTable("parked_streams", table => {
        // Attempts that are charged to the event. Attempts that meet something unavailable only lengthen the backoff.
        table.integer("charged").notNullable().defaultTo(0);
        // The releases by which the stream was parked, commas between.
        table.text("releases").notNullable().defaultTo("");
      }),
  },
  {
    // A mark tells whose log a cursor is in. A cursor of an older release has none until the next event.
    name: "004_marks",
    async up(knex: Knex): Promise<void> {
      await knex.schema.alterTable("checkpoints", table => {
        table.text("mark");
        // JSON: why the cursor is not in the log. The consumer reads nothing until it is null again.
        table.text("stopped");
        // 1: the consumer first passes over all that the log has.
        table.integer("passes_over");
      });
      await knex.schema.alterTable("relays", table => void table.text("mark"));
    },
  },
  {
    // In a service that owns events: the services that consume or have sagas, also while they are away.
    name: "005_subscribers",
    up: (knex: Knex) =>
      knex.schema.createTable("subscribers", table => {
        table.string("service").primary();
      }),
  },
  {
    // The bucket of a failed stream, which tells its partition whatever the number of partitions. Null in rows of an older
    // release until a node reads them.
    name: "006_buckets",
    up: (knex: Knex) => knex.schema.alterTable("parked_streams", table => void table.integer("bucket")),
  },
  {
    // In a service that owns events: how far each partition of its log has been published, where nodes share that.
    name: "007_relay_partitions",
    up: (knex: Knex) =>
      knex.schema.createTable("relay_partitions", table => {
        table.string("source").notNullable();
        table.string("partition").notNullable();
        table.text("cursor").notNullable();
        table.text("mark");
        table.primary(["source", "partition"]);
      }),
  },
];

/**
 * The indexes that the migrations make on Postgres, by table, as `npm run doctor` looks for them. A test compares the list
 * with a new database.
 */
export const STREAM_INDEXES: Readonly<Record<string, readonly string[]>> = {
  checkpoints: ["unique (consumer, source, partition)"],
  consumer_versions: ["unique (consumer, actor_stream)"],
  parked_streams: ["unique (consumer, actor_stream)"],
  dead_letters: ["unique (id)", "unique (consumer, actor_stream, version)"],
  leases: ["unique (name)"],
  relays: ["unique (source)"],
  relay_partitions: ["unique (source, partition)"],
  subscribers: ["unique (service)"],
};
