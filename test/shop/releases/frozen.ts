// The tables of a release with the data of a small shop, as files in `<version>/<kind>/`: what an upgrade finds. They are made once,
// when the release is cut, by freeze.ts, and never changed.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { gunzipSync, gzipSync } from "node:zlib";
import { query } from "@valence/runtime/testing/servers";

const FOLDER = import.meta.dirname;
const DUMP = "postgres.sql.gz";
const KNOWN = "known.json";

/** The shop's state as its clients know it; the upgrade test compares it. */
export interface Known {
  readonly account: { readonly email: string; readonly password: string };
  readonly admin: { readonly email: string; readonly password: string };
  /** Orders by id, with the status that was read last. The process was killed right after the last answer. */
  readonly orders: Readonly<Record<string, string>>;
  /** Product of the one line in the cart of another customer, and its quantity. */
  readonly cart: { readonly email: string; readonly productId: string; readonly quantity: number };
}
export type Kind = "sqlite" | "postgres";

export const releases = (): string[] =>
  readdirSync(FOLDER, { withFileTypes: true })
    .filter(entry => entry.isDirectory() && /^\d+\.\d+\.\d+$/.test(entry.name))
    .map(({ name }) => name)
    .sort((a, b) => a.localeCompare(b, "en", { numeric: true }));

const folderOf = (version: string, kind: Kind): string => join(FOLDER, version, kind);

export const knownOf = (version: string, kind: Kind): Known =>
  JSON.parse(readFileSync(join(folderOf(version, kind), KNOWN), "utf8"));
export function writeKnown(version: string, kind: Kind, known: Known): void {
  mkdirSync(folderOf(version, kind), { recursive: true });
  writeFileSync(join(folderOf(version, kind), KNOWN), `${JSON.stringify(known, undefined, 2)}\n`);
}

/** Puts the release's files into an empty data folder: all of SQLite's, or those that lie beside a Postgres. */
export function restoreFiles(version: string, kind: Kind, dataDir: string): void {
  const folder = folderOf(version, kind);
  for (const name of readdirSync(folder).filter(name => name.endsWith(".sqlite.gz")))
    writeFileSync(join(dataDir, name.replace(/\.gz$/, "")), gunzipSync(readFileSync(join(folder, name))));
}

/** Puts the release's tables into an empty database of Postgres, with their owners: a role a service. */
export async function restoreDump(version: string, url: string): Promise<void> {
  const sql = gunzipSync(readFileSync(join(folderOf(version, "postgres"), DUMP))).toString();
  for (const [, role] of sql.matchAll(/^CREATE SCHEMA (\w+);$/gm))
    await query(url, `do $$ begin create role ${role} nologin; exception when duplicate_object then end $$`);
  await query(url, sql);
}

/** Keeps a data folder whose processes have ended, killed or not: the copies contain the write-ahead logs. */
export function keepFiles(version: string, kind: Kind, dataDir: string, scratch: string): void {
  for (const name of readdirSync(dataDir).filter(name => name.endsWith(".sqlite"))) {
    const copy = join(scratch, `${kind}-${name}`);
    const database = new DatabaseSync(join(dataDir, name));
    database.prepare("vacuum into ?").run(copy);
    database.close();
    writeFileSync(join(folderOf(version, kind), `${name}.gz`), gzipSync(readFileSync(copy), { level: 9 }));
  }
}

/** Keeps what `pg_dump --inserts` wrote, without the lines that only psql understands. */
export function keepDump(version: string, dump: string): void {
  const sql = dump.replaceAll(/^\\.*\n/gm, "");
  writeFileSync(join(folderOf(version, "postgres"), DUMP), gzipSync(sql, { level: 9 }));
}

interface Column {
  readonly table: string;
  readonly column: string;
  readonly type: string;
  readonly needed: number;
  readonly initial: string | null;
  /** Position of the column in the primary key; 0 outside of it. */
  readonly pk: number;
}

/** Every column and index of a data folder's files, a line each: `orders.events.version INTEGER not null`. */
export function tablesOfFiles(dataDir: string): string[] {
  return readdirSync(dataDir)
    .filter(name => name.endsWith(".sqlite"))
    .flatMap(name => {
      const database = new DatabaseSync(join(dataDir, name), { readOnly: true });
      try {
        const rows = database
          .prepare(
            `select m.name as "table", c.name as "column", c.type, c."notnull" as needed, c.dflt_value as initial, c.pk
               from sqlite_master m join pragma_table_info(m.name) c where m.type = 'table' and m.name not like 'sqlite_%'
             union all select tbl_name, '(index)', sql, 0, '', 0 from sqlite_master where type = 'index' and sql is not null`,
          )
          .all() as unknown as Column[];
        return rows.map(({ table, column, type, needed, initial, pk }) =>
          [`${name}: ${table}.${column}`, type, needed ? "not null" : "", initial ?? "", pk ? `key ${pk}` : ""].join(
            " ",
          ),
        );
      } finally {
        database.close();
      }
    })
    .map(line => line.trim().replaceAll(/\s+/g, " "))
    .sort();
}

/** The same for a Postgres database, with its functions. */
export async function tablesOfDatabase(url: string): Promise<string[]> {
  const rows = await query<{ line: string }>(
    url,
    `select concat_ws(' ', table_schema || '.' || table_name || '.' || column_name, data_type,
         case is_nullable when 'NO' then 'not null' end, column_default) as line
       from information_schema.columns where table_schema not in ('pg_catalog', 'information_schema')
     union all select replace(indexdef, indexname, '(name)') from pg_indexes
       where schemaname not in ('pg_catalog', 'information_schema')
     union all select n.nspname || '.' || p.proname || '(' || pg_get_function_arguments(p.oid) || ')'
       from pg_proc p join pg_namespace n on n.oid = p.pronamespace
       where n.nspname not in ('pg_catalog', 'information_schema')`,
  );
  return rows.map(({ line }) => line).sort();
}
