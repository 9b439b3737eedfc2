// The tables of an audit, in the database of the service that keeps it.
import type { Migration } from "../database/index.ts";

export const migrations: readonly Migration[] = [
  {
    name: "001_audit",
    async up(knex) {
      await knex.schema.createTable("audit_records", table => {
        table.integer("partition").notNullable();
        table.bigInteger("seq").notNullable();
        table.string("hash").notNullable();
        // On the last record of each commit.
        table.string("signature");
        // Canonical JSON; the columns below are taken from it, to find it.
        table.text("record").notNullable();
        table.string("subject").notNullable();
        table.integer("version").notNullable();
        table.string("at").notNullable();
        table.string("actor").notNullable();
        table.string("person");
        table.primary(["partition", "seq"]);
        // A log that was put back from an older copy may write a version a second time: then `at` tells the two apart.
        table.unique(["subject", "version", "at"]);
        table.index(["at", "partition", "seq"]);
        table.index(["actor", "at", "partition", "seq"]);
        table.index(["person", "at", "partition", "seq"]);
      });
      await knex.schema.createTable("audit_heads", table => {
        table.integer("partition").primary();
        table.bigInteger("seq").notNullable();
        table.string("hash").notNullable();
      });
      await knex.schema.createTable("audit_checkpoints", table => {
        table.bigInteger("number").primary();
        table.text("text").notNullable();
        table.string("signature").notNullable();
        table.bigInteger("at_ms").notNullable();
        // 1: it is in the anchor.
        table.integer("anchored").notNullable().defaultTo(0);
      });
      await knex.schema.createTable("audit_keys", table => {
        table.string("id").primary();
        table.text("public_key").notNullable();
        // Null where the key is given by `AUDIT_SIGNING_KEY`.
        table.text("private_key");
      });
    },
  },
];

/**
 * The indexes that the migrations make on Postgres, by table, as `npx valence doctor` looks for them. A test compares the list
 * with a new database.
 */
export const AUDIT_INDEXES: Readonly<Record<string, readonly string[]>> = {
  audit_records: [
    "unique (partition, seq)",
    "unique (subject, version, at)",
    "(at, partition, seq)",
    "(actor, at, partition, seq)",
    "(person, at, partition, seq)",
  ],
  audit_heads: ["unique (partition)"],
  audit_checkpoints: ["unique (number)"],
  audit_keys: ["unique (id)"],
};
