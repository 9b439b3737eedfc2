import { describe, expect, test } from "@jest/globals";
import {
  checked,
  declaredVariables,
  defineEnvironment,
  EnvironmentError,
  flag,
  integer,
  list,
  matching,
  nodeEnvironment,
  oneOf,
  perService,
  readEnvironment,
  secret,
  serverUrl,
  text,
  url,
  type Declaration,
  type Variable,
} from "./index.ts";

const says = "for a test";
const noColon = (value: string): string | undefined => (value.includes("::") ? "no two colons" : undefined);

const kinds = defineEnvironment("Every kind", {
  COUNT: integer({ min: 1, max: 10, default: 3, says }),
  MODE: oneOf(["fast", "safe"], { default: "safe", says }),
  CACHED: flag({ default: true, says }),
  GREETING: text({ says }),
  COLOUR: matching({ pattern: /^#\d{3}$/, expected: "a colour", default: "#000", says }),
  TAGS: list({ pattern: /^\w+$/, expected: "words, commas between", default: ["a", "b"], says }),
  BOOKING_URL: url({ protocols: ["http:", "https:"], says }),
  QUEUE_URL: serverUrl({ form: "amqp://host", problem: noColon, says }),
  PLAN: checked({ form: "<a>:<b>", problem: noColon, says }),
  API_SECRET: secret({ pattern: /^.{8,}$/u, expected: "at least 8 characters", says }),
  PASSPHRASE: secret({ pattern: /^.{8,}$/u, expected: "at least 8 characters", isVerbatim: true, says }),
  "<SERVICE>_LIMIT": perService(integer({ min: 0, max: 9, default: 5, says })),
});
const declared = (...declarations: Declaration[]) => ({
  services: ["bookings", "guest-book"],
  declarations,
  failpoints: [],
  metrics: [],
});
const read = (env: Record<string, string>, declaration: Declaration = kinds) =>
  readEnvironment(env, declared(nodeEnvironment, declaration));

test("a variable that is not set has its default, or is undefined", () => {
  const values = kinds.of(read({ GREETING: "", COUNT: "  " }));
  expect({ ...values }).toEqual({
    COUNT: 3,
    MODE: "safe",
    CACHED: true,
    GREETING: undefined,
    COLOUR: "#000",
    TAGS: ["a", "b"],
    PLAN: undefined,
  });
  expect([values.BOOKING_URL, values.QUEUE_URL, values.API_SECRET, values.PASSPHRASE]).toEqual(
    Array(4).fill(undefined),
  );
  expect(values["<SERVICE>_LIMIT"]("bookings")).toBe(5);
});

test("a variable that is set is of its kind, without blanks at its ends unless they belong to it", () => {
  const values = kinds.of(
    read({
      COUNT: " 10 ",
      MODE: "fast",
      CACHED: "off",
      GREETING: " good morning ",
      COLOUR: "#123",
      TAGS: "x,y,z",
      BOOKING_URL: "https://book.example/v1/",
      QUEUE_URL: "amqp://u:p@host",
      PLAN: "a:b",
      API_SECRET: " s3cr3t-s3cr3t ",
      PASSPHRASE: " s3cr3t ",
      GUEST_BOOK_LIMIT: "0",
    }),
  );
  const number: number = values.COUNT;
  const mode: "fast" | "safe" = values.MODE;
  const greeting: string | undefined = values.GREETING;
  expect([number, mode, values.CACHED, greeting]).toEqual([10, "fast", false, "good morning"]);
  expect([values.COLOUR, values.TAGS]).toEqual(["#123", ["x", "y", "z"]]);
  expect([values.BOOKING_URL, values.QUEUE_URL, values.PLAN]).toEqual([
    "https://book.example/v1",
    "amqp://u:p@host",
    "a:b",
  ]);
  expect([values.API_SECRET, values.PASSPHRASE]).toEqual(["s3cr3t-s3cr3t", " s3cr3t "]);
  expect(["bookings", "guest-book"].map(values["<SERVICE>_LIMIT"])).toEqual([5, 0]);
});

test.each([
  ["COUNT", "0", '"0": expected a whole number from 1 to 10'],
  ["COUNT", "11", '"11": expected a whole number from 1 to 10'],
  ["COUNT", "0x1", '"0x1": expected a whole number from 1 to 10'],
  ["COUNT", "1e0", '"1e0": expected a whole number from 1 to 10'],
  ["COUNT", "-1", '"-1": expected a whole number from 1 to 10'],
  ["COUNT", "1.5", '"1.5": expected a whole number from 1 to 10'],
  ["MODE", "Fast", '"Fast": expected one of fast, safe'],
  ["CACHED", "true", '"true": expected one of on, off'],
  ["COLOUR", "red", '"red": expected a colour'],
  ["TAGS", "a,,b", '"a,,b": expected words, commas between'],
  ["BOOKING_URL", "ftp://host", '"ftp://host": expected a URL that starts with http: or https:'],
  ["BOOKING_URL", "http://", '"http://": expected a URL that starts with http: or https:'],
  ["BOOKING_URL", "http://user:s3cr3t@host", '"http://…@host": expected a URL without user, query or fragment'],
  ["BOOKING_URL", "http://host/?key=s3cr3t", '"http://host/": expected a URL without user, query or fragment'],
  ["QUEUE_URL", "amqp://u:s3cr3t@a::b", '"amqp://…": expected no two colons'],
  ["PLAN", "a::b", '"a::b": expected no two colons'],
  ["API_SECRET", "s3cr3t", '"…": expected at least 8 characters'],
  ["PASSPHRASE", "s3cr3t", '"…": expected at least 8 characters'],
  ["GUEST_BOOK_LIMIT", "10", '"10": expected a whole number from 0 to 9'],
])("%s=%s is refused, and says what it should be", (variable, value, said) => {
  expect(() => read({ [variable]: value })).toThrow(
    expect.objectContaining({ name: "EnvironmentError", message: variable + "=" + said }),
  );
});

test("a broker that no start has checked has each declaration checked as it is first asked", () => {
  const valence = readEnvironment({ COUNT: "many" });
  expect(nodeEnvironment.of({ options: { valence } }).WORKERS).toBe(1);
  for (const _ of [1, 2]) expect(() => kinds.of({ options: { valence } })).toThrow('COUNT="many"');
});

test("a variable of a service that no start knows of is checked as it is asked for", () => {
  const values = kinds.of(readEnvironment({ BOOKINGS_LIMIT: "all" }));
  expect(values["<SERVICE>_LIMIT"]("rooms")).toBe(5);
  expect(() => values["<SERVICE>_LIMIT"]("bookings")).toThrow('BOOKINGS_LIMIT="all"');
});

test("a list of the environment has no secret in it, and no URL of a server", () => {
  const environment = read({
    COUNT: "4",
    QUEUE_URL: "amqp://u:p4ss@h",
    API_SECRET: "p4ss-p4ss",
    PASSPHRASE: "p4ss-p4ss",
  });
  expect(environment).toMatchObject({ COUNT: 4, MODE: "safe" });
  for (const shown of [
    JSON.stringify(environment),
    Object.entries(environment).flat().join(),
    { ...kinds.of(environment) },
  ])
    expect(JSON.stringify(shown)).not.toContain("p4ss");
});

test("values that do not go together are refused by the declaration", () => {
  const rooms = defineEnvironment(
    "Rooms",
    { FREE: integer({ min: 0, max: 99, default: 1, says }), ROOMS: integer({ min: 0, max: 99, default: 9, says }) },
    ({ FREE, ROOMS }) => {
      if (FREE > ROOMS) throw new EnvironmentError("FREE", `${FREE}`, "no more than ROOMS");
    },
  );
  expect(rooms.of(read({ FREE: "3" }, rooms)).FREE).toBe(3);
  expect(() => read({ FREE: "10" }, rooms)).toThrow('FREE="10": expected no more than ROOMS');
});

test("other variables may decide a default", () => {
  const carrier = defineEnvironment("Carrier", {
    CARRIER_NAME: text({ default: environment => kinds.of(environment).MODE, defaultSays: "that of `MODE`", says }),
  });
  expect(carrier.of(readEnvironment({ MODE: "fast" })).CARRIER_NAME).toBe("fast");
  expect(carrier.variables.CARRIER_NAME.defaultSays).toBe("that of `MODE`");
});

describe("two declarations of one variable", () => {
  const first = defineEnvironment("First", { SHARED: integer({ min: 0, max: 9, default: 1, says }) });
  test("are one, when they say the same", () => {
    const same = defineEnvironment("Second", { SHARED: integer({ min: 0, max: 9, default: 1, says }) });
    const environment = readEnvironment({ SHARED: "7" }, declared(first, same));
    expect([first.of(environment).SHARED, same.of(environment).SHARED]).toEqual([7, 7]);
  });
  test.each<[string, Variable]>([
    ["bounds", integer({ min: 0, max: 8, default: 1, says })],
    ["default", integer({ min: 0, max: 9, default: 2, says })],
    ["meaning", integer({ min: 0, max: 9, default: 1, says: "for another test" })],
    ["kind", text({ default: "1", says })],
  ])("are refused, when they differ in their %s", (_, SHARED) => {
    expect(() => readEnvironment({}, declared(first, defineEnvironment("Second", { SHARED })))).toThrow(
      'SHARED is declared twice, not the same: by "First" and by "Second"',
    );
  });
});

test("a variable of each service has <SERVICE> in its name, and no other has", () => {
  expect(() => defineEnvironment("x", { "<SERVICE>_SIZE": text({ says }) })).toThrow(TypeError);
  expect(() => defineEnvironment("x", { SIZE: perService(text({ says })) })).toThrow(TypeError);
});

test("every declared name is known, those of a service under its own", () => {
  expect([...declaredVariables(declared(kinds)).keys()]).toEqual(
    expect.arrayContaining(["COUNT", "API_SECRET", "BOOKINGS_LIMIT", "GUEST_BOOK_LIMIT"]),
  );
});

describe("a misspelt variable", () => {
  test.each([
    ["COUNTT", "4", '"4": expected another name: COUNT'],
    ["BOOKNIGS_LIMIT", "4", '"4": expected another name: BOOKINGS_LIMIT'],
    ["GUESTS_BOOK_LIMIT", "4", '"4": expected another name: GUEST_BOOK_LIMIT'],
    ["QUEEU_URL", "amqp://u:s3cr3t@host", '"amqp://…@host": expected another name: QUEUE_URL'],
    ["QUEUE_URLL", "amqp://u:s3cr3t@host", '"…": expected another name: QUEUE_URL'],
    ["API_SECRTE", "s3cr3t-s3cr3t", '"…": expected another name: API_SECRET'],
    ["PASSPHRRASE", "s3cr3t-s3cr3t", '"…": expected another name: PASSPHRASE'],
  ])("%s is refused, and no secret is shown", (name, value, said) => {
    expect(() => read({ [name]: value })).toThrow(`${name}=${said}`);
  });
  test("is not refused when it is empty, or nothing says what is declared", () => {
    read({ COUNTT: "" });
    expect(kinds.of(readEnvironment({ COUNTT: "4" })).COUNT).toBe(3);
  });
  test("is not seen in the links that Kubernetes and Docker make for services", () => {
    read({ HEATH_PORT: "tcp://10.0.0.1:80" });
    expect(() => read({ HEATH_PORT: "8081" })).toThrow('HEATH_PORT="8081": expected another name: HEALTH_PORT');
  });
});

test("SERVICES names services that there are", () => {
  expect(nodeEnvironment.of(read({ SERVICES: "bookings,guest-book" })).SERVICES).toEqual(["bookings", "guest-book"]);
  expect(() => read({ SERVICES: "bookings,bookigns" })).toThrow(
    'SERVICES="bookigns": expected some of bookings,guest-book',
  );
});

test("FAILPOINTS names failpoints that are declared", () => {
  const all = { ...declared(nodeEnvironment), failpoints: ["a:before", "a:after"] };
  readEnvironment({ FAILPOINTS: "a:before=kill;a:after=sleep(5)@0.5" }, all);
  expect(() => readEnvironment({ FAILPOINTS: "a:before=kill;a:during=kill" }, all)).toThrow(
    'FAILPOINTS="a:during": expected a declared failpoint: a:before, a:after',
  );
  expect(() => readEnvironment({ FAILPOINTS: "garbage" }, all)).toThrow('FAILPOINTS="garbage": expected <failpoint>=');
});
