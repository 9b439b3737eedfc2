// What a line has, and what it must not.
import { afterEach, expect, test } from "@jest/globals";
import { ServiceBroker, type Service } from "moleculer";
import Type from "typebox";
import { logLevels } from "../broker/middlewares/log-levels.ts";
import { defineContract, defineService, PERSONAL, TextLine } from "../contract/index.ts";
import { Refusal, workFor, workForNobody } from "../kernel/index.ts";
import { limits } from "./limits.ts";
import { hideInLogs, openLog, type Level } from "./index.ts";
import { prettily } from "./log.ts";
import { BrokerLog, levelsOf } from "./mixin.ts";

const texts: string[] = [];
const keep = (text: string): void => void texts.push(text);
const log = openLog({ write: keep, collect: keep, flush: () => {}, dropped: 0 });
const lines = (): any[] => texts.splice(0).map(text => JSON.parse(text));

const brokerWith = (level: Level): ServiceBroker =>
  new ServiceBroker({ nodeID: "node-1", logLevel: level, logger: new BrokerLog(() => log), metrics: false });
const broker = brokerWith("info");
const { logger } = broker;
texts.length = 0;
afterEach(() => void (texts.length = 0));

/** The line of these arguments. */
function lineOf(...args: unknown[]): any {
  (logger.error as (...given: unknown[]) => void)(...args);
  const [line, ...more] = lines();
  expect(more).toEqual([]);
  return line;
}

test("a line has time, level, node, module and message", () => {
  expect(lineOf("loan", 5, "is", true)).toEqual({
    level: "error",
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    node: "node-1",
    module: "broker",
    msg: "loan 5 is true",
  });
});

test("Moleculer's idiom keeps the error, and so does pino's", () => {
  const error = new Refusal("NOT_ENOUGH");
  const shown = {
    type: "NOT_ENOUGH",
    message: "not enough",
    code: 409,
    data: { family: "refusal" },
    stack: expect.stringMatching(/^ +at .*log\.test\.ts/),
  };
  expect(lineOf("it failed:", error)).toMatchObject({ msg: "it failed:", err: shown });
  expect(lineOf({ error, loanId: "o1" }, "it failed")).toMatchObject({
    msg: "it failed",
    err: shown,
    data: { loanId: "o1" },
  });
  expect(lineOf(error)).toMatchObject({ msg: "", err: shown });
  expect(lineOf("two", error, new Error("other"))).toMatchObject({ err: shown, data: { message: "other" } });
  const chained = new Error("outer", { cause: new AggregateError([new Error("inner")], "all") });
  expect(lineOf("x", chained).err.cause).toMatchObject({ message: "all", errors: [{ message: "inner" }] });
});

test("other arguments are `data`, and take no name of the line's own", () => {
  expect(lineOf("a", { level: "x", time: 1, node: "n" })).toMatchObject({
    level: "error",
    node: "node-1",
    data: { level: "x", time: 1, node: "n" },
  });
  expect(lineOf("%s of %d %j", "a", 5, { b: 1 }).msg).toBe('a of 5 {"b":1}');
  expect(lineOf("a", { b: 1 }, [2]).data).toEqual([{ b: 1 }, [2]]);
});

test("a line within a call names its request, action, service and user; one for nobody does not", async () => {
  const call = {
    requestID: "request-1",
    action: { name: "loans.open" },
    service: { fullName: "loans" },
    meta: { user: { id: "u1" } },
  };
  await workFor(call as object, async () => {
    await Promise.resolve();
    logger.warn("within");
    workForNobody(() => logger.warn("without"));
  });
  const [within, without] = lines();
  expect(within).toMatchObject({ requestId: "request-1", action: "loans.open", service: "loans", user: "u1" });
  expect(Object.keys(without)).toEqual(["level", "time", "node", "module", "msg"]);
});

test("the level is that of the module, and changes while it runs, for a time or for good", async () => {
  const own = brokerWith("info");
  const loans = own.getLogger("loans");
  const levels = levelsOf(own)!;
  const said = (): string[] => {
    texts.length = 0;
    for (const one of [loans, own.logger]) one.debug("said");
    return lines().map(({ module }) => module);
  };
  expect(said()).toEqual([]);
  expect(levels.set({ module: "nothing", level: "debug" })).toEqual([]);
  expect(levels.set({ module: "loans", level: "debug" })).toEqual(["loans"]);
  expect(said()).toEqual(["loans"]);
  expect(levels.set({ level: "trace" })).toContain("broker");
  expect(said()).toEqual(["loans", "broker"]);
  own.getLogger("later").debug("said");
  expect(lines()).toHaveLength(1);
  levels.set({ level: "info" });
  expect(said()).toEqual([]);
  levels.set({ module: "loans", level: "debug", forMs: 20 });
  expect(levels.list()).toContainEqual({ module: "loans", level: "debug", until: expect.stringMatching(/Z$/) });
  expect(said()).toEqual(["loans"]);
  await new Promise(resolve => setTimeout(resolve, 40));
  expect(said()).toEqual([]);
  expect(levels.list()).toContainEqual({ module: "loans", level: "info" });
});

test("what is below the level is not looked at", () => {
  const untouchable = new Proxy({}, { get: () => expect(0).toBe(1), ownKeys: () => expect(0).toBe(1) as never });
  logger.debug("x", untouchable);
  expect(texts).toEqual([]);
});

test("the options of a broker, which anybody in the cluster may list, do not hold the broker", async () => {
  const own = brokerWith("fatal");
  await own.start();
  expect(JSON.stringify(await own.call("$node.options")).length).toBeLessThan(5_000);
  await own.stop();
});

const SECRET = "s3cr3tC4n4ry";
test.each([
  ["a name at any depth", { a: [{ b: { c: { password: SECRET } } }] }],
  ["the name of a header", { headers: { Authorization: SECRET, "set-cookie": [SECRET], "x-api-key": SECRET } }],
  ["the name of a token", { refreshToken: SECRET, access_token: SECRET, clientSecret: { a: SECRET } }],
  ["a person's address", { email: SECRET, phone: SECRET, shippingAddress: { line1: SECRET } }],
  ["a field that a contract marks", { marked: { deep: SECRET } }],
  ["a map", new Map([["x", { password: SECRET }]])],
  ["an error's data", Object.assign(new Error("x"), { data: { params: { password: SECRET } } })],
  ["a driver's detail", Object.assign(new Error("x"), { detail: `Key (email)=(${SECRET})`, parameters: [SECRET] })],
  ["a cause", new Error("x", { cause: Object.assign(new Error(`password=${SECRET}`), { data: { token: SECRET } }) })],
  ["a URL", `cannot reach postgres://library:${SECRET}@db:5432/library: refused`],
  ["a bearer token", `sent Authorization: Bearer ${SECRET}`],
  ["an API key", `vk_${"0".repeat(32)}_${SECRET}${"x".repeat(31)}_01234567`],
  ["half an API key", `vk_0000_${SECRET}`],
  ["a JWT", `token eyJhbGciOiJFUzI1NiJ9.${SECRET}.${SECRET}`],
  ["a JWT that is cut", `token eyJhbGciOi${SECRET}`],
  ["SQL", `insert into "users" ("email", "token") values ('${SECRET}@example.org', 'x')`],
  [
    "a text in JSON",
    JSON.stringify({ password: SECRET, refreshToken: SECRET, nested: JSON.stringify({ secret: SECRET }) }),
  ],
  ["a query", `GET /reset?token=${SECRET}&a=1 failed`],
  ["a private key", `-----BEGIN PRIVATE KEY-----\n${SECRET}\n-----END PRIVATE KEY-----`],
  ["a message of two lines", new Error(`first\n    at Bearer ${SECRET}\nlast`)],
])("%s shows no secret", (_, value) => {
  hideInLogs(["marked"]);
  for (const args of [[value], ["text", value], [{ error: value }, "text"], ["%j", value]])
    expect(JSON.stringify(lineOf(...args))).not.toContain(SECRET);
});

test("what tells who a person is, is hidden wherever a payload is logged, and the names of other things are not", () => {
  const person = defineContract({
    service: "members",
    actions: {
      join: {
        params: {
          name: TextLine({ maxLength: 99, personal: true }),
          street: TextLine({ maxLength: 99, personal: true }),
        },
        returns: Type.Object({ id: Type.String(), name: Type.String(PERSONAL), card: Type.String() }),
      },
    },
  });
  const { metadata } = defineService(person, { actions: { join: () => ({ id: "1", name: "", card: "" }) } });
  logLevels(broker).serviceCreating({} as Service, { metadata: metadata as object });
  const payload = { name: SECRET, street: SECRET };
  const row = { id: "7", name: SECRET, card: "c1", joinedAt: "today" };
  const error = new Refusal("NO_ROOM", { status: 409, data: { params: payload } } as object);
  for (const value of [payload, [row], { params: payload }, error, { name: SECRET }])
    expect(JSON.stringify(lineOf("text", value))).not.toContain(SECRET);
  expect(lineOf("text", { consumer: { name: "shelf", lagEvents: 3 } }).data).toEqual({
    consumer: { name: "shelf", lagEvents: 3 },
  });
});

test.each([
  "refused 401 bad-signature: POST /api/v1/fees/webhook",
  "connect failed, code: ECONNREFUSED",
  "session: closed by peer",
])("%s is no secret, and is shown", text => expect(lineOf(text).msg).toBe(text));

test.each(["code: 493 021x", "code=AbcdEfgh", "signature: v1.a8Qk", '"session" : "AbcdEfgh"', "x-signature=AbcdEfgh"])(
  "%s may be a secret, and is not",
  text => expect(lineOf(text.replace(" 021", "021")).msg).toContain("…"),
);

test.each(["4111 1111 1111 1111", "4111-1111-1111-1111", "5500005555555559", "378282246310005"])(
  "the number of a card is hidden: %s",
  number => {
    expect(lineOf(`card ${number}, refused`).msg).toBe("card …, refused");
    expect(JSON.stringify(lineOf("x", { note: number }))).not.toContain(number);
  },
);

test.each([
  "loan 0190a6c8-8d6e-7c1f-9a53-0123456789ab is stuck: OUT_OF_REACH",
  "trace 0af7651916cd43dd8448eb211c80319c took 1732976400000 ms",
  'insert into "loans" ("id") values (?)',
  "connect ECONNREFUSED 127.0.0.1:5432",
  "circuit of loans.open at node-2 opens: 12 of 20 calls failed",
])("what is no secret stays: %s", text => expect(lineOf(text).msg).toBe(text));

test("the keys of the cache, which hold params, are cut", () => {
  brokerWith("debug").getLogger("cacher").debug('GET books.list:"what somebody searched for"|1');
  expect(lines().at(-1).msg).toBe("GET books.list:…");
});

test("a mail's address keeps its domain", () =>
  expect(lineOf("no mail for ada.lovelace@example.org").msg).toBe("no mail for …@example.org"));

test("ten megabytes are cut, with a note of their length, in no time", () => {
  const megabytes = "x".repeat(10_000_000);
  for (const args of [
    [megabytes],
    ["x", megabytes],
    ["x", { a: { b: megabytes } }],
    [new Error(megabytes)],
    ["%s", megabytes],
    ["x", "\u0000".repeat(10_000_000)],
    ["x", { [megabytes]: 1 }],
    ["x", Array.from({ length: 100_000 }, (_, i) => ({ i, text: "é".repeat(100) }))],
    ["x", Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`key${i}`, i]))],
  ]) {
    (logger.error as (...given: unknown[]) => void)(...args);
    const [text] = texts;
    expect(Buffer.byteLength(text!)).toBeLessThanOrEqual(limits.lineBytesMax);
    expect(text).toMatch(/… \(\d+ characters\)|"…":"\d+ entries"|… \(\d+ entries\)/);
    expect(lines()).toHaveLength(1);
  }
  expect(lineOf(megabytes).msg).toMatch(/^x{7999,8000}… \(10000000 characters\)$/);
});

test("a secret that is cut in its middle is hidden", () => {
  const filling = "word ".repeat((limits.textBytesMax - 20) / 5);
  expect(texts.join()).not.toContain(SECRET);
  expect(JSON.stringify(lineOf(`${filling}redis://:${SECRET}@host/0`))).not.toContain(SECRET.slice(0, 6));
});

const cyclic: Record<string, unknown> = { name: "a" };
cyclic["self"] = { again: cyclic };
test.each<[string, unknown, unknown]>([
  ["a cycle", cyclic, { name: "a", self: { again: "[cycle]" } }],
  ["a BigInt", { n: 5n }, { n: "5" }],
  [
    "a getter that throws",
    {
      get a() {
        throw new Error("no");
      },
      b: 1,
    },
    { a: "[cannot be read: no]", b: 1 },
  ],
  [
    "a toJSON that throws",
    {
      toJSON() {
        throw new Error("no");
      },
      b: 1,
    },
    { toJSON: "[function]", b: 1 },
  ],
  [
    "a proxy that throws",
    new Proxy(
      {},
      {
        ownKeys: () => {
          throw new Error("no");
        },
      },
    ),
    "[cannot be shown: no]",
  ],
  ["bytes", { body: Buffer.from("secret") }, { body: "[6 bytes]" }],
  ["no number", { n: NaN, s: Symbol("x"), d: new Date(NaN) }, { n: "NaN", s: "[symbol]", d: "[invalid date]" }],
  ["a name of JavaScript's", JSON.parse('{"__proto__":{"a":1},"constructor":2}'), { constructor: 2 }],
])("%s breaks no line", (_, value, shown) => expect(lineOf("x", { value }).data).toMatchObject({ value: shown }));

test("code that logs what throws goes on", () => {
  const fail = (): never => {
    throw new Error("no");
  };
  const proxy = new Proxy({}, { get: fail, ownKeys: fail, getPrototypeOf: fail, getOwnPropertyDescriptor: fail });
  expect(lineOf("x", proxy)).toMatchObject({ level: "error" });
  expect(
    lineOf(Object.assign(new Error("x"), { message: { toString: fail }, type: { toString: fail } })).err,
  ).toMatchObject({
    type: "[object]",
    message: "[object]",
  });
});

test("an object without a prototype, and an error that is none, are logged", () => {
  expect(lineOf("x", Object.assign(Object.create(null), { a: 1 })).data).toEqual({ a: 1 });
  expect(lineOf("x", null, undefined).msg).toBe("x null undefined");
  const odd = Object.defineProperty(new Error("x"), "message", {
    get: () => {
      throw new Error("no");
    },
  });
  expect(lineOf("x", odd).err.message).toBe("[cannot be read: no]");
});

test("people read a line without its JSON, and one of the access log without a message", () => {
  const pretty = prettily(false);
  const at = { time: "2026-11-30T10:00:00.000Z", node: "n1" };
  expect(pretty(JSON.stringify({ level: "warn", ...at, module: "loans", msg: "late" }))).toBe(
    "[2026-11-30T10:00:00.000Z] WARN: n1/loans: late\n",
  );
  expect(pretty(JSON.stringify({ log: "access", ...at, method: "GET", status: 200 }))).toBe(
    '[2026-11-30T10:00:00.000Z]: n1/access {"method":"GET","status":200}\n',
  );
});
