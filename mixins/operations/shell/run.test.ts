import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { Refusal } from "../../kernel/index.ts";
import { operationsTable } from "../table/table.ts";
import { callByHttp, requestOf } from "./http-link.ts";
import { EXIT, runWords } from "./run.ts";
import { commands, paper, table } from "./shell.fixture.ts";
import { wordsOf } from "./words.ts";

interface Options {
  readonly answers?: readonly unknown[];
  readonly width?: number;
  /** What the person at the terminal says; without it there is none. */
  readonly says?: boolean[];
  readonly signal?: AbortSignal;
}

/** Runs a line against services that give these answers in turn; an Error among them is thrown. */
async function run(line: string, { answers = [{}], width, says, signal = new AbortController().signal }: Options = {}) {
  const { terminal, ...rest } = paper(width, says);
  const asked: unknown[] = [];
  const left = [...answers];
  const call = async (action: string, params: object): Promise<unknown> => {
    asked.push([action, params]);
    const answer = left.length > 1 ? left.shift() : left[0];
    if (answer instanceof Error) throw answer;
    return answer;
  };
  const code = await runWords(wordsOf(line), { commands, call, terminal, signal });
  return { code, asked, ...rest, text: rest.written.join("\n") };
}

const rooms = [
  { id: "7", state: "free", beds: 2, sinceMs: 90_000, guests: ["Ada", "Bob"] },
  { id: "8", state: "taken", beds: 12, sinceMs: 12, guests: [{ name: "Eve" }] },
];

test("rows are a table, without columns that no row has; the rest stands below", async () => {
  const { code, text } = await run("rooms", { answers: [{ rooms, silent: ["n2"], nextCursor: "c1" }] });
  expect(code).toBe(EXIT.done);
  expect(text.split("\n")).toEqual([
    "id  state  beds  since ms  guests",
    "7   free      2   1.5 min  Ada, Bob",
    '8   taken    12     12 ms  [{"name":"Eve"}]',
    "silent  n2",
    "more: --cursor c1",
  ]);
  expect((await run("rooms", { answers: [{ rooms: [] }] })).text).toBe("none");
});

test("a table fits its terminal: texts are cut, then the last columns left out, and ids are kept whole", async () => {
  const id = "borrowing.50821c3e-7c1d-4c3a-9d6f-3b1f0a2c4d5e";
  const wide = [{ id, state: "x".repeat(50), beds: 2, sinceMs: 90_000, guests: ["y".repeat(50)] }];
  const shownIn = async (width: number) => {
    const { text } = await run("rooms", { answers: [{ rooms: wide }], width });
    const lines = text.split("\n");
    expect(Math.max(...lines.map(line => line.length))).toBeLessThanOrEqual(width);
    expect(text).toContain(`${id} `);
    return lines;
  };
  expect((await shownIn(200))[0]).toContain("guests");
  const roomy = await shownIn(90);
  expect(roomy).toHaveLength(2);
  expect(roomy[1]).toMatch(/x… {2}.*yy…$/);
  expect(await shownIn(80)).toEqual([
    expect.stringMatching(/^id +state +beds +since ms$/),
    expect.stringMatching(/ x+… +2 +1\.5 min$/),
    "no room for: guests; --json has all",
  ]);
});

describe("a server that is no gateway of this system", () => {
  let server: Server;
  let answer: { status: number; type: string; text: string };
  let ask: ReturnType<typeof callByHttp>;
  beforeAll(async () => {
    server = createServer(
      (_, res) => void res.writeHead(answer.status, { "content-type": answer.type }).end(answer.text),
    );
    await once(server.listen(0, "127.0.0.1"), "listening");
    ask = callByHttp(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, undefined, operationsTable);
  });
  afterAll(() => void server.close());

  test.each([
    [200, "text/html", "<h1>Welcome to the hotel</h1>"],
    [200, "application/json", "{}"],
    [200, "application/json", "[]"],
    [200, "application/json", '{"status":"up"}'],
    [502, "text/html", "<h1>Bad gateway</h1>"],
    [404, "application/json", '{"error":"no such thing"}'],
  ])("is told from one: %i %s %s", async (status, type, text) => {
    answer = { status, type, text };
    await expect(ask("ops.sagas", { state: "stuck" })).rejects.toThrow(
      new RegExp(`^http://127.0.0.1:\\d+ is no gateway of this system.*: it answered ${status} ${type}$`),
    );
  });

  test("is none that answers or refuses as a gateway does", async () => {
    answer = { status: 200, type: "application/json; charset=utf-8", text: '{"state":"stuck","sagas":[]}' };
    expect(await ask("ops.sagas", { state: "stuck" })).toEqual({ state: "stuck", sagas: [] });
    const problem = { type: "/problems/forbidden", title: "Forbidden", status: 403 };
    answer = { status: 403, type: "application/problem+json", text: JSON.stringify(problem) };
    await expect(ask("ops.sagas", {})).rejects.toMatchObject({ type: "FORBIDDEN", code: 403 });
  });
});

test("one thing is its fields, nested ones indented, and its lists as tables", async () => {
  const answer = {
    id: "7",
    at: "2026-11-30T11:42:38.123Z",
    isOpen: true,
    bed: { width: 2, of: { type: "room", id: "7" }, stains: [], made: [{ by: "Bob" }, { by: "Eve", times: 2 }] },
    guests: [{ name: "Ada" }],
  };
  expect((await run("room 7", { answers: [answer] })).text.split("\n")).toEqual([
    "id       7",
    "at       2026-11-30 11:42:38Z",
    "is open  yes",
    "bed    ",
    "  width  2",
    "  of     room 7",
    "  made ",
    "    by   times",
    "    Bob  ",
    "    Eve      2",
    "guests:",
    "name",
    "Ada",
  ]);
});

test("characters that a terminal would obey are shown", async () => {
  const { text } = await run("room 7", { answers: [{ id: "\u001b[2Jgone\u202e" }] });
  expect(text).toBe(String.raw`id  \u001b[2Jgone\u202e`);
});

test("--json is the whole answer", async () => {
  const { text } = await run("rooms --json", { answers: [{ rooms }] });
  expect(JSON.parse(text)).toEqual({ rooms });
});

test("a refusal is one line and exit code 1, a mistake in the words is 2 and asks nothing", async () => {
  const refusal = new Refusal("ROOM_NOT_FOUND", { field: "id", message: "there is no room 9" });
  expect(await run("room 9", { answers: [refusal] })).toMatchObject({
    code: EXIT.failed,
    notes: ["ROOM_NOT_FOUND: there is no room 9"],
    text: "",
  });
  expect(await run("room", {})).toMatchObject({ code: EXIT.mistake, asked: [] });
  expect(await run("check", { answers: [{ ok: false }] })).toMatchObject({ code: EXIT.failed });
});

test("what cannot be taken back is asked before; where nobody is there, it needs --yes", async () => {
  expect(await run("room 7 close", { says: [false] })).toMatchObject({ code: EXIT.failed, asked: [] });
  expect((await run("room 7 close", { says: [true] })).asked).toHaveLength(1);
  expect(await run("room 7 close")).toMatchObject({
    code: EXIT.mistake,
    asked: [],
    notes: ["room 7 close: Its guests have to leave. Add --yes to do it"],
  });
  expect((await run("room 7 close --yes")).asked).toEqual([["rooms.close", { id: "7" }]]);
  expect((await run("room 7 close --dry-run")).asked).toHaveLength(1);
});

test("what takes long is followed with a bar until it is done", async () => {
  const { code, busy, notes } = await run("paint seven", { answers: [{ started: true }, { done: 2 }, { done: 4 }] });
  expect([code, notes]).toEqual([EXIT.done, ["paint seven: done"]]);
  expect(busy).toEqual(["paint seven", expect.stringMatching(/^paint seven {2}█{12}░{12} {2}2 of 4$/)]);
  expect((await run("paint seven --no-wait")).asked).toHaveLength(1);
});

test("what cannot end by itself is told, and what an operator leaves goes on", async () => {
  expect(await run("paint seven", { answers: [{}, { done: 1, trouble: "no paint" }] })).toMatchObject({
    code: EXIT.failed,
    notes: ["paint seven: no paint"],
  });
  const left = await run("paint seven", { answers: [{}, { done: 1 }], signal: AbortSignal.timeout(50) });
  expect(left.notes).toEqual(["paint seven goes on without us."]);
});

test("a tail shows events as they come, from where the last answer ended", async () => {
  const ending = new AbortController();
  const event = (type: string) => ({ type, data: { bed: 1 } });
  const answers = [
    { events: [event("came")], cursor: "c1" },
    { events: [event("went")], cursor: "c2" },
    { events: [], cursor: "c2" },
  ];
  const { signal } = ending;
  setTimeout(() => ending.abort(), 50);
  const { code, written, asked } = await run("watch", { answers, signal });
  expect([code, written]).toEqual([EXIT.done, ['came  {"bed":1}', 'went  {"bed":1}']]);
  expect(asked.slice(0, 3)).toEqual([
    ["rooms.watch", {}],
    ["rooms.watch", { cursor: "c1" }],
    ["rooms.watch", { cursor: "c2" }],
  ]);
});

test("over HTTP a param stands in the path, else in the query or the body", () => {
  const [list, , close] = table;
  expect(requestOf(list!, { state: "free", cursor: undefined })).toEqual({ method: "GET", url: "/rooms?state=free" });
  expect(requestOf(close!, { id: "a/b", note: "n" })).toEqual({
    method: "POST",
    url: "/rooms/a%2Fb/close",
    body: '{"note":"n"}',
  });
});

test("lines are written as they are, page by page, with how far it is; one that is ended says that there are more", async () => {
  const answers = [
    { lines: ['{"head":1}', '{"room":7}'], records: 1, of: 2, nextCursor: "c1" },
    { lines: ['{"room":8}'], records: 1, of: 2 },
  ];
  const { code, written, asked, busy } = await run("rooms dump", { answers });
  expect([code, written]).toEqual([EXIT.done, ['{"head":1}', '{"room":7}', '{"room":8}']]);
  expect(asked).toEqual([
    ["rooms.dump", {}],
    ["rooms.dump", { cursor: "c1" }],
  ]);
  expect(busy.at(-2)).toMatch(/rooms dump .*1 of 2/);
  const ended = await run("rooms dump", { answers, signal: AbortSignal.abort() });
  expect([ended.code, ended.written.length, ended.notes]).toEqual([
    EXIT.failed,
    2,
    ["rooms dump was ended after 1 records."],
  ]);
});
