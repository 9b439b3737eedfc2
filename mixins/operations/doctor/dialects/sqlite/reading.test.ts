import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, expect, test } from "@jest/globals";
import { Reading } from "./reading.ts";

const folder = mkdtempSync(join(tmpdir(), "reading-"));
const filename = join(folder, "loans.sqlite");
const database = new DatabaseSync(filename);
database.exec("create table loans (id integer); insert into loans values (1), (2)");
database.close();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("rows come from the thread, which writes nothing; an error is SQLite's; once it is over, what waits is rejected", async () => {
  const reading = new Reading();
  expect(await reading.rows(filename, "select id from loans where id > ?1", [1])).toEqual([{ id: 2 }]);
  await expect(reading.rows(filename, "select * from books")).rejects.toThrow("no such table: books");
  await expect(reading.rows(filename, "delete from loans")).rejects.toThrow("readonly");
  await reading.leave(filename);
  expect(await reading.rows(filename, "select count(*) as n from loans")).toEqual([{ n: 2 }]);
  const long = "with recursive n(i) as (select 1 union all select i + 1 from n limit 300000) select count(*) from n";
  const rejected = expect(reading.rows(filename, long)).rejects.toThrow("the examination is over");
  await reading.close();
  await rejected;
  await expect(reading.rows(filename, "select 1")).rejects.toThrow("the examination is over");
});

test("without a statement there is no thread", async () => {
  const reading = new Reading();
  await reading.leave(filename);
  await reading.close();
});
