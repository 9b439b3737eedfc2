// Which files lack their write-ahead log, and which only look as if.
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { backup, DatabaseSync } from "node:sqlite";
import type { Database } from "../../database.ts";
import { openSqlite } from "./open.ts";
import { isTornCopy } from "./torn.ts";

let folder: string;
let filename: string;
let copy: string;
const open: Database[] = [];
async function opened(file = filename): Promise<Database> {
  const database = await openSqlite(file, { rebuildable: false });
  open.push(database);
  return database;
}
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "torn-"));
  filename = join(folder, "notes [50%] #1.sqlite");
  copy = join(folder, "copy.sqlite");
});
afterEach(async () => {
  await Promise.all(open.splice(0).map(database => database.close()));
  await rm(folder, { recursive: true });
});
async function withRows(rows = 10): Promise<Database> {
  const database = await opened();
  if (!(await database.knex.schema.hasTable("notes")))
    await database.knex.schema.createTable("notes", table => void table.text("text"));
  for (let i = 0; i < rows; i++) await database.knex("notes").insert({ text: `${i}` });
  return database;
}
const rowsIn = async (file: string): Promise<number> => {
  const database = new DatabaseSync(file, { readOnly: true });
  const row = database.prepare("select count(*) as n from notes").get()!;
  database.close();
  return Number(row["n"]);
};

test("P1 a copy of the file alone, of a database that is open, is refused by name, again and again", async () => {
  await withRows();
  await copyFile(filename, copy);
  for (let i = 0; i < 2; i++) {
    expect(isTornCopy(copy)).toBe(true);
    await expect(openSqlite(copy, { rebuildable: false })).rejects.toMatchObject({
      type: "FILE_TORN",
      message: expect.stringMatching(/copy\.sqlite is a copy that was made without its write-ahead log/),
    });
  }
  expect(existsSync(`${copy}-wal`)).toBe(false);
});

test("P1 also when it was opened before, closed, and has rows from then", async () => {
  await (await withRows()).close();
  await withRows(1);
  await copyFile(filename, copy);
  expect(isTornCopy(copy)).toBe(true);
});

test("a file that is open, that was closed, or is copied with its log, is whole", async () => {
  const database = await withRows();
  expect(isTornCopy(filename)).toBe(false);
  await copyFile(`${filename}-wal`, `${copy}-wal`);
  await copyFile(filename, copy);
  expect(isTornCopy(copy)).toBe(false);
  expect(await rowsIn(copy)).toBe(10);
  await rm(`${copy}-wal`);
  await database.close();
  expect(isTornCopy(filename)).toBe(false);
  await copyFile(filename, copy);
  expect(isTornCopy(copy)).toBe(false);
  expect(await (await opened(copy)).knex("notes")).toHaveLength(10);
});

test("a backup that SQLite makes of an open database is whole", async () => {
  await withRows();
  const source = new DatabaseSync(filename);
  await backup(source, copy);
  source.exec(`vacuum into '${copy}.vacuum'`);
  source.close();
  for (const file of [copy, `${copy}.vacuum`]) {
    expect(isTornCopy(file)).toBe(false);
    expect(await rowsIn(file)).toBe(10);
  }
});

test("a file whose process was killed is whole, also after another program has looked into it", async () => {
  const code = `
    const { openSqlite } = await import(${JSON.stringify(join(import.meta.dirname, "open.ts"))});
    const database = await openSqlite(${JSON.stringify(filename)}, {});
    await database.knex.schema.createTable("notes", table => void table.text("text"));
    for (let i = 0; i < 10; i++) await database.knex("notes").insert({ text: "x" });
    console.log("written");
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(isTornCopy(filename)).toBe(false);
  const other = new DatabaseSync(filename);
  other.prepare("select count(*) from notes").get();
  other.close();
  expect(existsSync(`${filename}-wal`)).toBe(false);
  expect(isTornCopy(filename)).toBe(false);
  expect(await (await opened()).knex("notes")).toHaveLength(10);
});

test("two processes that have the file open leave it whole, in either order of closing", async () => {
  const first = await withRows();
  const second = await opened();
  await first.close();
  await second.knex("notes").insert({ text: "late" });
  await copyFile(filename, copy);
  expect(isTornCopy(copy)).toBe(true);
  await second.close();
  expect(isTornCopy(filename)).toBe(false);
});

test("a file of an older release, and what is no database, are not called torn", async () => {
  const older = new DatabaseSync(filename);
  older.exec("pragma journal_mode = wal; create table notes (text)");
  await copyFile(filename, copy);
  older.close();
  expect(isTornCopy(copy)).toBe(false);
  expect(isTornCopy(join(folder, "nothing.sqlite"))).toBe(false);
  expect(isTornCopy(import.meta.filename)).toBe(false);
  await (await opened()).close();
  expect(isTornCopy(filename)).toBe(false);
});
