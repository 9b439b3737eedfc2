// Whether every index that this code's schema makes exists and is valid. The lists are declared beside the schemas; a
// service's own in services/<name>/indexes.json.
import { existsSync, readFileSync } from "node:fs";
import { INGRESS_INDEXES, OUTBOUND_INDEXES, STREAM_INDEXES } from "../../../../stream/siblings.ts";
import { CDN_INDEXES } from "../../../../cdn/siblings.ts";
import { STORE_INDEXES } from "../../../../event-store/siblings.ts";
import { ACCOUNT_INDEXES } from "../../../../accounts/mixin.ts";
import { AUDIT_INDEXES } from "../../../../audit/mixin.ts";
import { PROJECTION_INDEXES } from "../../../../projection/mixin.ts";
import { count, fail, ok, warn, type Result } from "../../finding.ts";
import type { Schema } from "./schema.ts";

/** Definitions by table, such as `unique (id)`. */
export type Indexes = Readonly<Record<string, readonly string[]>>;

interface Row {
  readonly table: string;
  readonly index: string;
  readonly is_valid: boolean;
  readonly definition: string;
}

/** `own` is the file with the service's own indexes; it may be missing. */
export async function indexesOf(own: string, schema: Schema): Promise<readonly Result[]> {
  const expected = await expectedOf(own, schema);
  const rows = await indexRows(schema);
  const results: Result[] = [];
  for (const [table, definitions] of Object.entries(expected)) {
    if (!schema.names.has(table)) {
      const advice = "a start of this release makes it, unless it was removed: then restore a backup";
      results.push(fail("indexes", `table ${table} is missing`, advice));
      continue;
    }
    for (const definition of definitions) {
      const same = rows.filter(row => row.table === table && row.definition === definition);
      if (same.some(row => row.is_valid)) continue;
      const isUnique = definition.startsWith("unique");
      const [broken] = same;
      const make = `create ${isUnique ? "unique " : ""}index concurrently on "${schema.name}".${table} ${definition.replace("unique ", "")}`;
      results.push(
        (isUnique ? fail : warn)(
          "indexes",
          `${table} ${definition} is ${broken ? "not valid" : "missing"}`,
          broken ? `drop index concurrently "${schema.name}".${broken.index}; ${make}` : make,
        ),
      );
    }
  }
  const needed = (row: Row): boolean => expected[row.table]?.includes(row.definition) ?? false;
  for (const { table, index } of rows.filter(row => !row.is_valid && !needed(row)))
    results.push(
      warn("indexes", `${index} on ${table} is not valid`, `drop index concurrently "${schema.name}".${index}`),
    );
  const total = Object.values(expected).flat().length;
  return results.length > 0 ? results : [ok("indexes", `${count(total, "index", "indexes")} there`)];
}

/** The indexes that this code makes in such a schema, if a start has made it yet. */
export async function expectedOf(file: string, schema: Schema): Promise<Indexes> {
  const { names, name } = schema;
  const own = ownIndexes(file);
  const expected: Record<string, readonly string[]> = {};
  if (names.has("store_schema")) Object.assign(expected, STORE_INDEXES);
  if (names.has("migrations_stream")) Object.assign(expected, STREAM_INDEXES);
  if (names.has("migrations_ingress")) Object.assign(expected, INGRESS_INDEXES);
  if (names.has("migrations_outbound")) Object.assign(expected, OUTBOUND_INDEXES);
  if (names.has("migrations_cdn")) Object.assign(expected, CDN_INDEXES);
  if (names.has(`migrations_${name}`)) Object.assign(expected, own);
  if (names.has("first_administrator")) Object.assign(expected, ACCOUNT_INDEXES);
  if (names.has("audit_records")) Object.assign(expected, AUDIT_INDEXES);
  if (names.has("projection_builds")) {
    Object.assign(expected, PROJECTION_INDEXES);
    const builds = await schema.rows<{ tables: string }>("select tables from projection_builds");
    // Every build of a version has the same tables: `sales_v1_b2_open` has the indexes of `sales_v1_open`.
    for (const table of builds.flatMap(({ tables }) => JSON.parse(tables) as string[])) {
      const definitions = own[table.replace(/(_v\d+)_b\d+_/, "$1_")];
      if (definitions) expected[table] = definitions;
    }
  }
  return expected;
}

function ownIndexes(file: string): Indexes {
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Indexes) : {};
}

export async function indexRows(schema: Schema): Promise<Row[]> {
  const sql = `select t.relname as table, i.relname as index, x.indisvalid and x.indisready as is_valid,
       pg_get_indexdef(x.indexrelid) as definition
     from pg_index x join pg_class i on i.oid = x.indexrelid join pg_class t on t.oid = x.indrelid
       join pg_namespace n on n.oid = t.relnamespace
     where n.nspname = $1 and t.relkind in ('r', 'p') order by 1, 2`;
  const rows = await schema.connection.read(ask => ask<Row>(sql, [schema.name]));
  return rows.map(row => ({ ...row, definition: shortened(row.definition) }));
}

/** `CREATE UNIQUE INDEX a ON b.c USING btree (id)` is `unique (id)`. */
const shortened = (definition: string): string =>
  definition.replace(/^CREATE (UNIQUE )?INDEX .*? USING (btree )?/, (_, unique) => (unique ? "unique " : ""));
