import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import Type from "typebox";
import { newId, Refusal, Unavailable } from "../../kernel/index.ts";
import { until } from "../../testing/index.ts";
import { CREDENTIALS_CHANGED } from "../auth/exchanges.ts";
import { looseRoute, routes, startLibrary, type Library } from "../library.fixture.ts";
import { limits } from "../limits.ts";
import { Gateway } from "../mixin.ts";

const PATH = "/api/v1/notices/stream";
const hints = looseRoute("GET /notices/stream", "notices.hints", {
  summary: "What has changed",
  access: ["admin"],
  query: { topics: Type.Optional(Type.String()) },
  hints: Type.Object({ topic: Type.String(), count: Type.Integer() }),
  params: ({ query }) => query,
});
const gatewayWithHints = Gateway({ api: { name: "Library API" }, routes: [...routes, hints], sessions: ["desk"] });

let gateway: Library;
let token: string;
const ann = newId();
/** By topic: how many, and which. */
const there: Record<string, [count: number, edition: string]> = { loans: [1, "a"], books: [2, "b"] };
/** Topics that were asked for, call by call, and whether as a user. */
let asked: [string | undefined, boolean][] = [];
let isAway = false;
let exchange: () => Promise<{ token: string }>;
const opened: Heard[] = [];

beforeAll(async () => {
  gateway = await startLibrary(
    { "accounts.exchange": () => exchange() },
    [
      {
        name: "notices",
        actions: {
          hints({ params: { topics }, meta }: { params: { topics?: string }; meta: { user?: object } }) {
            asked.push([topics, meta.user !== undefined]);
            if (isAway) throw new Unavailable("AWAY");
            const named = topics?.split(",") ?? Object.keys(there);
            return { hints: named.map(topic => ({ topic, count: there[topic]![0], edition: there[topic]![1] })) };
          },
        },
      },
    ],
    {},
    gatewayWithHints,
  );
  token = await gateway.token(ann, ["admin"]);
});
afterEach(async () => {
  for (const { leave } of opened.splice(0)) leave();
  await until("streams of the last test are gone", () => gateway.service.streams.size === 0);
  isAway = false;
});
afterAll(() => gateway.stop());

interface Heard {
  readonly response: Response;
  readonly seen: object[];
  readonly isOver: () => boolean;
  readonly leave: () => void;
}
async function listen(topics?: string, headers: Record<string, string> = { authorization: `Bearer ${token}` }) {
  const left = new AbortController();
  const response = await fetch(`${gateway.url}${PATH}${topics === undefined ? "" : `?topics=${topics}`}`, {
    headers: { accept: "text/event-stream", ...headers },
    signal: left.signal,
  });
  const seen: object[] = [];
  let isOver = false;
  void (async () => {
    for await (const text of response.body!.pipeThrough(new TextDecoderStream()))
      for (const [, data] of text.matchAll(/^data: (.*)$/gm)) seen.push(JSON.parse(data!));
  })()
    .catch(() => {})
    .finally(() => (isOver = true));
  const heard = { response, seen, isOver: () => isOver, leave: () => left.abort() };
  opened.push(heard);
  return heard;
}

test("each topic first, then those that change; one call looks for all who listen, and none when nobody does", async () => {
  asked = [];
  const [all, loans] = [await listen(), await listen("loans")];
  await until("the first hints", () => all.seen.length === 2 && loans.seen.length === 1);
  expect(all.response.headers.get("content-type")).toBe("text/event-stream");
  expect(all.seen).toEqual([
    { topic: "loans", count: 1 },
    { topic: "books", count: 2 },
  ]);
  // As many as before, but others.
  there["books"] = [2, "c"];
  await until("the change", () => all.seen.length === 3);
  expect(all.seen[2]).toEqual({ topic: "books", count: 2 });
  all.leave();
  await until("it is gone", () => gateway.service.streams.size === 1);
  await until("what is left is asked for", () => asked.at(-1)![0] === "loans" && !asked.at(-1)![1]);
  expect(loans.seen).toEqual([{ topic: "loans", count: 1 }]);
  // Each began with a look of its own, and what came later was on nobody's behalf.
  expect(asked.filter(([, isOfUser]) => isOfUser)).toEqual([
    [undefined, true],
    ["loans", true],
  ]);
  loans.leave();
  await until("it is gone", () => gateway.service.streams.size === 0);
  const looks = asked.length;
  await new Promise(resolve => setTimeout(resolve, 2 * limits.hintMs));
  expect(asked.length).toBe(looks);
});

test("a program that prefers JSON gets the answer; others are refused as anywhere", async () => {
  const json = await gateway.http("GET", `${PATH}?topics=loans`, { token, headers: { accept: "application/json" } });
  expect(json.json).toEqual({ hints: [{ topic: "loans", count: 1, edition: "a" }] });
  const status = async (headers: Record<string, string>) => (await listen("loans", headers)).response.status;
  expect(await status({})).toBe(401);
  expect(await status({ authorization: `Bearer ${await gateway.token(ann)}` })).toBe(403);
  expect(await status({ authorization: `Bearer ${token}`, accept: "text/html" })).toBe(406);
  isAway = true;
  expect(await status({ authorization: `Bearer ${token}` })).toBe(503);
});

test("a page's stream goes on with a new token, and ends with its session or without the role", async () => {
  const cookie = { cookie: `valence-desk=${newId()}`, "sec-fetch-site": "same-origin" };
  const as = (roles: string[]) => async () => ({ token: await gateway.token(ann, roles) });
  const changed = () => gateway.broker.broadcastLocal(CREDENTIALS_CHANGED, { user: ann });
  exchange = as(["admin"]);
  const one = await listen("loans", cookie);
  expect(one.response.status).toBe(200);
  await changed();
  there["loans"] = [2, "b"];
  await until("the change", () => one.seen.length === 2);
  exchange = as(["reader"]);
  await changed();
  there["loans"] = [3, "c"];
  await until("the end", one.isOver);
  expect(one.seen).toHaveLength(2);

  exchange = as(["admin"]);
  await changed();
  const another = await listen("loans", cookie);
  expect(another.response.status).toBe(200);
  exchange = () => Promise.reject(new Refusal("BAD_CREDENTIAL", { status: 401 }));
  await changed();
  await until("the end", another.isOver);
});

test("a stream ends when nobody can look any more, so that its page knows it", async () => {
  const heard = await listen();
  isAway = true;
  await until("the end", heard.isOver);
});
