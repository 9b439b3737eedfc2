import { afterEach, describe, expect, test } from "@jest/globals";
import type { Knex } from "knex";
import { newDatabases, type Databases } from "../../testing/servers.ts";
import { migrate, openDatabase } from "../../database/mixin.ts";
import { locationOf, type Database, type Migration } from "../../database/index.ts";
import { readEnvironment } from "../../kernel/index.ts";
import { SearchIndex, searchMigration } from "./search.ts";
import { wordIndexConformance } from "./word-index.conformance.ts";
import { wordIndexOf } from "./word-index.ts";

const place = { table: "books", idField: "id", search: { fields: ["title", "blurb"], sorted: ["title"] } };
const books: Migration = {
  name: "001_books",
  up: knex =>
    knex.schema.createTable("books", table => {
      table.string("id").primary();
      table.string("title").notNullable();
      table.text("blurb");
      table.integer("pages");
    }),
};
const searched = searchMigration("002_search", place);

const open: { database: Database; databases: Databases }[] = [];
afterEach(async () => {
  for (const { database, databases } of open.splice(0)) {
    await database.close();
    await databases.remove();
  }
});
async function newDatabase(): Promise<Database> {
  const databases = await newDatabases();
  const database = await openDatabase(locationOf(readEnvironment(databases.env), "library"));
  open.push({ database, databases });
  return database;
}

describe("words", () =>
  wordIndexConformance(async () => {
    const { knex } = await newDatabase();
    const index = wordIndexOf(knex, "things", 3);
    await index.create(knex);
    return { knex, index };
  }));

async function start() {
  const database = await newDatabase();
  await migrate(database, "library", [books, searched]);
  const { knex } = database;
  const index = new SearchIndex(place);
  const add = (id: string, title: string, on: Knex = knex) => on("books").insert({ id, title, blurb: null });
  const find = async (text: string): Promise<string[]> => {
    await index.catchUp(database, knex);
    const rows = knex("books");
    index.narrow(rows, knex, text);
    index.byRank(rows);
    return (await rows).map(({ id }) => id as string);
  };
  const marks = async () => Number((await knex("books_changed").count({ n: "*" }))[0]!["n"]);
  return { database, knex, index, add, find, marks };
}

test("the rows that are there when the index is made are in it", async () => {
  const database = await newDatabase();
  await migrate(database, "library", [books]);
  const rows = Array.from({ length: 250 }, (_, n) => ({ id: `b${n}`, title: `Éclair ${n}` }));
  await database.knex("books").insert(rows);
  await migrate(database, "library", [books, searched]);
  const found = database.knex("books");
  new SearchIndex(place).narrow(found, database.knex, "eclair");
  expect(await found).toHaveLength(250);
  expect(await database.knex("books_changed")).toEqual([]);
  expect(await database.knex("books").whereNull("title_folded")).toEqual([]);
});

test("writes of a node that does not know the index are found", async () => {
  const { knex, add, find, marks } = await start();
  await add("one", "Zebra Crossing");
  await add("two", "apple");
  expect(await find("zebra")).toEqual(["one"]);
  await knex("books").where({ id: "one" }).update({ title: "Okapi Crossing" });
  expect([await find("zebra"), await find("OKAPI")]).toEqual([[], ["one"]]);
  await knex("books").whereIn("id", ["one", "two"]).update({ title: "Both" });
  expect(await find("both")).toEqual(["one", "two"]);
  await knex("books").where({ id: "one" }).del();
  expect(await find("both")).toEqual(["two"]);
  expect(await marks()).toBe(0);
  await knex("books").update({ pages: 1 });
  expect(await marks()).toBe(0);
});

test("a row and its words are written together, or neither is", async () => {
  const { database, knex, index, add, find, marks } = await start();
  const write = (fails: boolean) =>
    database.transaction(async trx => {
      await add("one", "Zebra", trx);
      await index.complete(trx, ["one"]);
      if (fails) throw new Error("no");
    });
  await expect(write(true)).rejects.toThrow("no");
  const words = async () => (await knex("books_words").count({ n: "*" }))[0]!["n"];
  expect([await find("zebra"), await marks(), Number(await words())]).toEqual([[], 0, 0]);
  await write(false);
  expect([await marks(), Number(await words())]).toEqual([0, 1]);
  expect(await find("zebra")).toEqual(["one"]);
});

test("changes by many at once, with the index and without, leave the newest words", async () => {
  const { database, knex, index, add, find, marks } = await start();
  const ids = ["a", "b", "c"];
  for (const id of ids) await add(id, "first");
  const change = (n: number) => {
    const id = ids[n % 3]!;
    if (n % 2 === 0)
      return knex("books")
        .where({ id })
        .update({ title: `plain${n}` });
    return database.transaction(async trx => {
      await trx("books")
        .where({ id })
        .update({ title: `known${n}` });
      await index.complete(trx, [id]);
    });
  };
  for (let round = 0; round < 20; round++) {
    await Promise.all(
      [...Array(12).keys()].flatMap(n => [change(round * 12 + n), ...(n % 4 === 0 ? [find("first")] : [])]),
    );
    const rows: { id: string; title: string; title_folded: string }[] = await knex("books");
    for (const { id, title } of rows) expect(await find(title)).toEqual([id]);
    expect(await find("plain known")).toEqual([]);
    expect(await marks()).toBe(0);
    expect(await knex("books").whereRaw("title_folded <> title")).toEqual([]);
  }
});

test("sorts as people do", async () => {
  const { database, knex, index, add } = await start();
  for (const title of ["Zebra", "apple", "Éclair", "banana", "éclair", "Apple"]) await add(title, title);
  await index.catchUp(database, knex);
  const titles = await knex("books").orderBy(index.sortedBy("title")!).orderBy("title").pluck("title");
  expect(titles).toEqual(["Apple", "apple", "banana", "Éclair", "éclair", "Zebra"]);
});

test("a title of the longest letters is kept", async () => {
  const { add, find } = await start();
  await add("long", "\ufdfa".repeat(200));
  expect(await find("\ufdfa")).toEqual(["long"]);
});
