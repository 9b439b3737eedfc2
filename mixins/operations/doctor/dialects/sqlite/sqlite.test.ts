// Troubles of a file.
import { chmod, copyFile, mkdtemp, open, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { migrate, openDatabase } from "../../../../database/mixin.ts";
import { examined } from "../../examined.fixture.ts";

let folder: string;
let file: string;
const word = () => examined({ DATA_DIR: folder }, { all: ["loans"] });

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "doctor-"));
  file = join(folder, "loans.sqlite");
  const database = await openDatabase({ kind: "sqlite", filename: file });
  const up = (knex: any) => knex.schema.createTable("notes", (table: any) => table.string("text").index());
  await migrate(database, "loans", [{ name: "001", up }]);
  for (let i = 0; i < 200; i++) await database.knex("notes").insert({ text: "x".repeat(200) });
  await database.close();
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test("a file that is whole is said to be", async () => {
  const { of, troubles } = await word();
  expect(troubles).toEqual([]);
  expect(of("quick_check")).toEqual([`ok    loans           quick_check  ${file} is whole`]);
  expect(of("wal")[0]).toMatch(/ 0 MB$/);
});

test("a page that was overwritten", async () => {
  const handle = await open(file, "r+");
  await handle.write(Buffer.alloc(4_096, 0xee), 0, 4_096, 8 * 4_096);
  await handle.close();
  const { troubles } = await word();
  expect(troubles[0]).toMatch(/^FAIL +loans +quick_check .*loans\.sqlite: .* → stop every process, keep a copy/);
});

test("what is no database", async () => {
  await writeFile(file, "These are not the bytes that you are looking for. ".repeat(100));
  expect((await word()).troubles).toEqual([
    expect.stringMatching(/^FAIL +loans +database .*loans\.sqlite: file is not a database/),
  ]);
});

test("a copy without its log, which stays one", async () => {
  const database = await openDatabase({ kind: "sqlite", filename: file });
  await database.knex("notes").insert({ text: "new" });
  await copyFile(file, `${file}.copy`);
  await database.close();
  await copyFile(`${file}.copy`, file);
  for (let i = 0; i < 2; i++)
    expect((await word()).troubles).toEqual([
      expect.stringMatching(
        /^FAIL +loans +database .*loans\.sqlite is a copy that was made without its write-ahead log/,
      ),
    ]);
});

test("a log that is not emptied", async () => {
  await writeFile(`${file}-wal`, "", { mode: 0o600 });
  await truncate(`${file}-wal`, 301 * 1024 ** 2);
  expect((await word()).troubles).toEqual([
    expect.stringMatching(/^warn +loans +wal +301 MB → a reader that never ends/),
  ]);
});

test("a file that other users can read", async () => {
  await chmod(file, 0o644);
  expect((await word()).troubles).toEqual([
    expect.stringMatching(
      /^warn +loans +modes +other users of this machine can look into .*loans\.sqlite.* → chmod go= /,
    ),
  ]);
});
