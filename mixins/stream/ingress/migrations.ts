// Tables of ingresses, in the database of the service that runs them.
import type { Knex } from "knex";

export const migrations = [
  {
    name: "001_ingress",
    async up(knex: Knex): Promise<void> {
      await knex.schema.createTable("ingress_places", table => {
        table.string("ingress").notNullable();
        // The bus and the place on it: an ingress that moves to another bus begins anew there.
        table.string("source").notNullable();
        table.integer("partition").notNullable();
        // The topic or stream that the place is in. One that was made anew has another.
        table.string("origin").notNullable();
        // The place of the next message. Text: a place has up to 64 bits, and JavaScript's numbers 53.
        table.string("place").notNullable();
        // Moved by every commit of the ingress, a retry too, which moves no place.
        table.bigInteger("revision").notNullable();
        table.bigInteger("messages").notNullable();
        table.string("message_at");
        table.primary(["ingress", "source", "partition"]);
      });
      await knex.schema.createTable("paused_ingresses", table => {
        table.string("ingress").primary();
        table.string("at").notNullable();
        table.string("by");
        table.text("note");
      });
    },
  },
];

/** The indexes that the migrations make on Postgres, by table, as `npm run doctor` looks for them. */
export const INGRESS_INDEXES: Readonly<Record<string, readonly string[]>> = {
  ingress_places: ["unique (ingress, source, partition)"],
  paused_ingresses: ["unique (ingress)"],
};
