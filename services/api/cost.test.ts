// The cost of a stranger's request before its user is known: no input may cost many times more than another of its
// size. Measured over all routes, in processor time of this process.
import { expect, test } from "@jest/globals";
import { parseBody } from "../../mixins/http/body.ts";
import { limits } from "../../mixins/gateway/limits.ts";
import { toProblem } from "../../mixins/http/problem.ts";
import type { Route } from "../../mixins/gateway/route/route.ts";
import { routes } from "./routes/index.ts";

/** Bytes whose cost every request has, whatever is in it: the connection, the header, the router. */
const BYTES_OF_A_REQUEST = 16_000;
const BODY_BYTES = limits.bodyBytesMax - 1_000;
const QUERY_CHARS = 4_000;

/** As many of them as fit into a body, with commas between. */
function many(itemOf: (n: number) => string, chars = BODY_BYTES): string {
  const items: string[] = [];
  for (let length = 0, n = 0; length < chars; n++) length += items[items.push(itemOf(n)) - 1]!.length + 1;
  return items.slice(0, -1).join(",");
}
const key = (n: number) => `"${n.toString(36)}":0`;
/** As many as pass the limits. */
const some = (itemOf: (n: number) => string, max: number = limits.bodyKeysMax) =>
  Array.from({ length: max - 10 }, (_, n) => itemOf(n)).join();

/** Values that a schema's fields take, and many that they do not; made once for all routes. */
const VALUES = [
  `"${"a".repeat(BODY_BYTES)}"`,
  `"${"\\ud800".repeat(BODY_BYTES / 6)}"`,
  `"${"a.".repeat(BODY_BYTES / 4)}@${"b.".repeat(BODY_BYTES / 4)}"`,
  "9".repeat(BODY_BYTES),
  `[${many(() => "0")}]`,
  `[${many(() => "{}")}]`,
  `[${some(() => "0", limits.bodyItemsMax)}]`,
  `[${some(() => "{}", limits.bodyItemsMax)}]`,
  `{${many(key)}}`,
  `{${some(key)}}`,
];
const BODIES = [
  `{${many(key)}}`,
  `{${some(key)}}`,
  `{${some(n => `"k${n}":"\\ud800"`)}}`,
  `[${many(() => "0")}]`,
  "[".repeat(BODY_BYTES / 2) + "]".repeat(BODY_BYTES / 2),
  `{"a":"${"x".repeat(BODY_BYTES)}`,
];

function bodiesOf({ body }: Route): string[] {
  const fields = ["anything", ...Object.keys(body)];
  return [...BODIES, ...fields.flatMap(field => VALUES.map(value => `{"${field}":${value}}`))];
}
function queriesOf({ query }: Route): string[] {
  const plain = ["a&", "=", "%ff&", "%00&", "é", "&=%"].map(part => part.repeat(QUERY_CHARS / part.length));
  const fields = ["anything", ...Object.keys(query)].flatMap(field => [
    `${field}=${"%41".repeat(QUERY_CHARS / 3)}`,
    `${field}=${"+".repeat(QUERY_CHARS)}`,
    `${field}=${"9".repeat(QUERY_CHARS)}`,
    `${field}=a&`.repeat(QUERY_CHARS / (field.length + 3)),
  ]);
  return [...plain, ...fields, many(n => n.toString(36), QUERY_CHARS).replaceAll(",", "&")];
}

interface Cost {
  readonly what: string;
  readonly nanosPerByte: number;
  again(): Cost;
}
function costOf(route: Route, search: string, text: string): Cost {
  const bytes = Buffer.from(text);
  const path = Object.fromEntries(Object.keys(route.path).map(name => [name, "x"]));
  const once = () => {
    try {
      route.read({ path, search, ...parseBody(bytes) });
    } catch (error) {
      JSON.stringify(toProblem(error, "a-request"));
    }
  };
  once();
  const before = process.cpuUsage();
  once();
  const { user, system } = process.cpuUsage(before);
  const size = BYTES_OF_A_REQUEST + bytes.length + search.length;
  const shown = `${route.method} ${route.url}?${search.slice(0, 40)} ${text.slice(0, 40)}`;
  const again = (): Cost => costOf(route, search, text);
  return { what: shown, nanosPerByte: ((user + system) * 1_000) / size, again };
}

test("no input of any route costs more than ten times what the median of its size does", () => {
  const costs = routes.flatMap(route => [
    ...queriesOf(route).map(query => costOf(route, query, "")),
    ...(route.method === "GET" || route.method === "DELETE" ? [] : bodiesOf(route)).map(body =>
      costOf(route, "", body),
    ),
  ]);
  expect(costs.length).toBeGreaterThan(1_000);
  const sorted = costs.toSorted((a, b) => a.nanosPerByte - b.nanosPerByte);
  const median = sorted[sorted.length >> 1]!.nanosPerByte;
  // A text is parsed at 2 ns a byte, and ten keys in it would already seem expensive: 10 ns a byte counts as cheap.
  const most = 10 * Math.max(median, 10);
  // Other processes use this machine and its caches: an expensive input is measured again, and counts only if it always
  // is.
  const isDear = ({ nanosPerByte }: Cost): boolean => nanosPerByte > most;
  let dear = sorted.filter(isDear);
  for (let times = 0; times < 5 && dear.length > 0; times++) dear = dear.map(cost => cost.again()).filter(isDear);
  expect(dear).toEqual([]);
}, 120_000);

test("a body of too many keys or items is refused, wherever they are, and commas and colons of a text are none", () => {
  const tooMany = expect.objectContaining({ type: "TOO_MANY_VALUES", code: 413 });
  const { bodyKeysMax, bodyItemsMax } = limits;
  const pairs = `[${"[0,0],".repeat(bodyItemsMax / 2)}[0]]`;
  for (const text of [`[${"0,".repeat(bodyItemsMax)}0]`, `{"a":{${many(key)}}}`, pairs])
    expect(() => parseBody(Buffer.from(text))).toThrow(tooMany);
  const text = `,:[{"\\`.repeat(bodyKeysMax + bodyItemsMax / 2);
  expect(parseBody(Buffer.from(JSON.stringify({ text }))).body).toEqual({ text });
});

test("a limited number of unknown and broken fields is named, in body and query", () => {
  const route = routes.find(({ url }) => url.endsWith("/auth/login"))!;
  const issues = (search: string, body: object) => {
    try {
      route.read({ path: {}, search, body });
    } catch (error) {
      return toProblem(error, "a-request").problem.errors;
    }
    return [];
  };
  const unknown = Object.fromEntries(Array.from({ length: 400 }, (_, n) => [`k${n}`, 0]));
  expect(issues("", unknown)).toHaveLength(20);
  expect(issues("", unknown)![0]).toEqual({ field: "k0", message: "is not allowed" });
  expect(issues("a&".repeat(60), {})).toEqual([{ field: "query", message: "must have at most 50 fields" }]);
});
