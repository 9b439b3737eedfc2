import { expect, test } from "@jest/globals";
import type { Knex } from "knex";
import { randomOf } from "../../testing/index.ts";
import { wordsOf, type WordIndex } from "./word-index.ts";

/** The behaviour of every index of words. `open` gives an empty one, of three fields. */
export function wordIndexConformance(open: () => Promise<{ knex: Knex; index: WordIndex }>): void {
  const start = async () => {
    const { knex, index } = await open();
    const write = (id: string, ...texts: string[]) =>
      index.write(knex, [{ id, fields: [0, 1, 2].map(n => wordsOf(texts[n] ?? "")) }], []);
    const find = async (text: string): Promise<string[]> => {
      const found = knex.raw("select * from (?) found order by found_rank desc, found_id", [
        index.found(knex, wordsOf(text)) as unknown as Knex.Value,
      ]);
      const rows = await found;
      return (rows.rows ?? rows).map(({ found_id }: { found_id: string }) => found_id);
    };
    return { knex, index, write, find };
  };

  test("finds every row that has all the words, in any order, each as the beginning of one at least", async () => {
    const { write, find } = await start();
    await write("oat", "Camp Mug, Oat", "MUG-007");
    await write("slate", "Camp Mug, Slate", "MUG-008");
    await write("bowl", "Breakfast Bowl", "", "for a café au lait");
    expect(await find("oat mug")).toEqual(["oat"]);
    expect((await find("mug cam")).toSorted()).toEqual(["oat", "slate"]);
    expect(await find("mug-007")).toEqual(["oat"]);
    expect(await find("ug")).toEqual([]);
    expect(await find("mug bowl")).toEqual([]);
    for (const text of ["café", "CAFE", "cafe\u0301", "ｃａｆｅ"]) expect(await find(text)).toEqual(["bowl"]);
  });

  test("weighs the fields, and a whole word above its beginning", async () => {
    const { write, find } = await start();
    await write("text", "Bowl", "BRK-1", "goes well with a mug, a mug or another mug");
    await write("code", "Bowl", "MUG-001", "deep");
    await write("start", "Muggy Weather Coat", "COT-1", "dry");
    await write("whole", "Mug for Weather", "MG-1", "wet");
    for (let n = 0; n < 20; n++) await write(`other${n}`, "Lamp", `LMP-${n}`, "bright");
    expect(await find("mug")).toEqual(["whole", "start", "code", "text"]);
    expect(await find("weather mug")).toEqual(["whole", "start"]);
  });

  test("writes a row anew, and takes out what is gone", async () => {
    const { knex, index, write, find } = await start();
    await write("one", "Mug");
    await write("two", "Mug");
    await write("one", "Lamp");
    expect([await find("mug"), await find("lamp")]).toEqual([["two"], ["one"]]);
    await index.write(knex, [], ["two", "never"]);
    expect(await find("mug")).toEqual([]);
  });

  test("takes texts of any length and script", async () => {
    const { write, find } = await start();
    await write("long", "x".repeat(200), "", `${"\ufdfa".repeat(4_900)} end`);
    await write("kanji", "抹茶茶碗");
    await write("none", "", "🛒", "--- '\"\\ :* & | ! ( ) <->");
    expect(await find("x".repeat(100))).toEqual(["long"]);
    expect(await find("end")).toEqual(["long"]);
    expect(await find("茶碗")).toEqual(["kanji"]);
  });

  test("finds what a scan would, and nothing that is typed is syntax", async () => {
    const { write, find } = await start();
    const random = randomOf(20_261_129);
    const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
    const PIECES = [
      ...Array.from("abAB09 -\"'*:^()+&|!<>\\%_{}\0é\u0301ß茶ﬁ🛒"),
      ..." AND , OR , NOT , NEAR ,NEAR(a b, 2),c0:,{c0 c1}:,rank,words match, --,;drop table,<->,:*,$$,?".split(","),
    ];
    const text = (pieces: number) =>
      Array.from({ length: 1 + Math.floor(random() * pieces) }, () => pick(PIECES)).join("");
    const rows = Array.from({ length: 60 }, (_, n) => ({ id: `row${n}`, texts: [text(6), text(3), text(12)] }));
    for (const { id, texts } of rows) await write(id, ...texts);
    let hits = 0;
    for (let n = 0; n < 300; n++) {
      const asked = text(4);
      const words = wordsOf(asked);
      if (words.length === 0) continue;
      const expected = rows
        .filter(({ texts }) => {
          const held = texts.flatMap(wordsOf);
          return words.every(word => held.some(other => other.startsWith(word)));
        })
        .map(({ id }) => id);
      hits += expected.length;
      expect({ asked, found: (await find(asked)).toSorted() }).toEqual({ asked, found: expected.toSorted() });
    }
    expect(hits).toBeGreaterThan(100);
  });
}
