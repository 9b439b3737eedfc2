// P6 against the running shop, with requests made at random from its own description: whatever is sent, the answer is one
// that the description lists, its body and header fields are as described, it is never a 5xx, the shop keeps its memory and
// goes on. 2,000 requests, or FUZZ_REQUESTS (`npm run test:fuzz`: 50,000). The seed is printed; FUZZ_SEED repeats a run.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { normalText } from "@valence/runtime/kernel";
import { randomRequests, type ApiDescription } from "@valence/runtime/testing";
import { expectProblem } from "../support/problems.ts";
import { ADMIN, openPeopledShop, type PeopledShop, type Product } from "../support/peopled-shop.ts";

const REQUESTS = Number(process.env["FUZZ_REQUESTS"] ?? 2_000);
const CALLERS = 8;
/** Milliseconds that one request may take in all on a busy machine, with those beside it. */
const EACH_MS = 30;
/** Failures after which a run ends: more of them say nothing new. */
const FAILURES_MAX = 5;
/**
 * Megabytes by which the process may grow from the middle of a run to its end. V8 gives memory back late: a run of 50,000
 * moves by some 30 MB up and down. A leak of 4 kB a request would be 100 MB.
 */
const GROWTH_MAX_MB = 80;

/** Milliseconds after which the callers log in anew: before their tokens end. */
const RENEW_MS = 600_000;
/** An address from which no guesses come: its requests are not refused with those of the random ones. */
const QUIET = { "X-Forwarded-For": "192.0.2.1" };

let house: PeopledShop;
/** Bob's token is in no request: logging in anew is refused after so many failed attempts. */
let { shop, client, ann, bob, admin } = {} as PeopledShop;
/** Ann's and the administrator's tokens, which the random requests have. */
let tokens: string[];
let product: Product;
/** A product of which the shop still sells in the end. */
let other: Product;
let order: string;
let description: ApiDescription;

beforeAll(async () => {
  house = await openPeopledShop({ ACCESS_LOG: "on", LOG_FORMAT: "json", TRUSTED_PROXIES: "1" });
  ({ shop, client, ann, bob, admin } = house);
  tokens = [ann, admin];
  [product, other] = house.products;
  order = await house.shipped(bob, other);
  description = await house.describe();
}, 180_000);
afterAll(() => house?.stop());

async function renewTokens(): Promise<void> {
  const ann = { email: "ann@example.org", password: ADMIN.password };
  for (const [n, body] of [ann, ADMIN].entries()) {
    const answer = await shop.request("POST", "/api/v1/auth/login", { body, headers: QUIET });
    expect(answer).toMatchObject({ status: 200 });
    tokens[n] = answer.body.accessToken;
  }
}

async function residentMb(): Promise<number> {
  const { status, body } = await shop.request<string>("GET", "/metrics", { token: tokens[1]!, headers: QUIET });
  expect([status, status === 200 ? "" : body]).toEqual([200, ""]);
  return Number(/^process_resident_memory_bytes (\d+)/m.exec(body)![1]) / 1024 ** 2;
}

const PEOPLES = ["name", "description", "category", "company", "line1", "line2", "city", "region"];
/** Whether a field that people fill in has text that is not in its normal form. */
function holdsUnfitText(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return Object.entries(value).some(([key, item]) =>
    typeof item === "string"
      ? PEOPLES.includes(key) && normalText(item, { lines: true }) !== item
      : holdsUnfitText(item),
  );
}

test(
  "P6 whatever is sent at random, the answer is one that the description lists, and never a 5xx",
  async () => {
    const seed = Number(process.env["FUZZ_SEED"] ?? Date.now() % 2 ** 31);
    console.log(`FUZZ_SEED=${seed} FUZZ_REQUESTS=${REQUESTS}`);
    const requests = randomRequests(description.document, {
      seed,
      tokens,
      // Ids and names of the shop, so that requests pass the first checks.
      known: [product.id, product.sku, order, `checkout.${order}`, "order", "stock", "order-list", "carts"],
    });
    const failures: unknown[] = [];
    const statuses = new Map<number, number>();
    const reached = new Set<string>();
    let left = REQUESTS;
    let middleMb = 0;
    let renewAt = performance.now() + RENEW_MS;
    const caller = async (): Promise<void> => {
      while (left-- > 0 && failures.length < FAILURES_MAX) {
        if (performance.now() > renewAt) {
          renewAt += RENEW_MS;
          await renewTokens();
        }
        if (left === REQUESTS >> 1) middleMb = await residentMb();
        const sent = requests.next().value!;
        try {
          const answer = await client.send(sent);
          statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
          if (answer.status >= 400) expectProblem(answer, sent.method);
          const faults = description.faultsOf(sent, answer);
          if (answer.status >= 500) faults.push("a failure of the server");
          if (answer.status < 300 && holdsUnfitText(answer.json)) faults.push("text that is not in its normal form");
          if (faults.length > 0) failures.push({ faults, sent, answer: answer.text });
          if (answer.status < 300) reached.add(description.operation(sent.method, sent.path)?.["operationId"]);
        } catch (error) {
          failures.push({ sent, error: String(error) });
        }
      }
    };
    await Promise.all(Array.from({ length: CALLERS }, caller));
    console.log("answers by status:", Object.fromEntries([...statuses].sort(([a], [b]) => a - b)));
    expect(failures).toEqual([]);
    // A generator whose requests are all refused, or all accepted, tests nothing.
    for (const status of [200, 201, 204, 400, 401, 403, 404, 405, 422]) expect([...statuses.keys()]).toContain(status);
    expect(reached.size).toBeGreaterThan(15);
    expect((await residentMb()) - middleMb).toBeLessThan(GROWTH_MAX_MB);
    expect(shop.child.output).not.toMatch(/"level":"(error|fatal)"|unhandled/i);
    await house.shipped(bob, other);
  },
  60_000 + REQUESTS * EACH_MS,
);

test("the access log has a line for each of them, and no token, body or query", async () => {
  const lines = shop.child.output.split("\n").filter(line => line.startsWith('{"log":"access"') && line.endsWith("}"));
  expect(lines.length).toBeGreaterThan(100);
  const seen = lines.map(line => JSON.parse(line) as Record<string, unknown>);
  const fields = new Set(seen.flatMap(line => Object.keys(line)));
  const known = "log time node method route status bytes ms user requestId traceId spanId address aborted".split(" ");
  expect([...fields].filter(field => !known.includes(field))).toEqual([]);
  const routes = new Set(seen.map(({ route }) => String(route)));
  expect([...routes].filter(route => !/^(none|\/|[\w/:.-]+)$/.test(route))).toEqual([]);
  // Without the routes, of which some are about passwords.
  const rest = seen.map(({ route: _route, ...line }) => JSON.stringify(line)).join("\n");
  for (const secret of [ann, admin, ...tokens, "Bearer", "password", "alert(1)"]) expect(rest).not.toContain(secret);
});
