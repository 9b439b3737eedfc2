// A program that uses our own client as somebody outside of the repository would: packed, by its declarations, against a running
// shop. Each `@ts-expect-error` is a mistake that the types must refuse.
import { apiKey, createClient, tokens, type AnswerOf, type ClientOptions } from "@valence/client";

declare const process: { readonly argv: readonly string[] };
const [, , url = ""] = process.argv;

/** Requests as they were sent, and how many answers get lost on their way back. */
const sent: { readonly line: string; readonly key: string | null }[] = [];
let losses = 0;
const tellingFetch: NonNullable<ClientOptions["fetch"]> = async (to, init) => {
  sent.push({
    line: `${init.method ?? "GET"} ${new URL(to).pathname}`,
    key: new Headers(init.headers).get("Idempotency-Key"),
  });
  const response = await fetch(to, init);
  if (losses === 0) return response;
  losses--;
  await response.arrayBuffer();
  throw new TypeError("the connection was cut");
};
const asked = (line: string) => sent.filter(request => request.line === line);

const session = tokens();
const shop = createClient({ url, credentials: session, fetch: tellingFetch });
const account = { email: "petra@example.org", password: "correct horse battery" };
const user = await shop.auth.register({ ...account, name: "Petra" });
session.set(await shop.auth.login(account));

// ---- searching
const { rows, total } = await shop.products.list({ sort: "price", pageSize: 2 });
const product: AnswerOf<typeof shop.products.get> = await shop.products.get(rows[0]!.id);
const first: string[] = [];
for await (const { sku } of shop.products.all({ pageSize: 2 })) if (first.push(sku) === 5) break;

// ---- a lost answer: the order is placed once
const shippingAddress = { name: "Petra", line1: "1 Main St", city: "London", postalCode: "N1", country: "GB" };
losses = 1;
const placed = await shop.orders.place.answer({
  lines: [{ productId: product.id, quantity: 2 }],
  shippingAddress,
  payment: { method: "card", token: "tok_ok" },
});
const attempts = asked("POST /api/v1/orders");

// ---- followed to its end
const statuses: string[] = [];
for await (const { status } of shop.orders.follow(placed.body.id)) statuses.push(status);
const orders = await shop.orders.list({ after: `${placed.body.id}@${placed.body.version}` });

// ---- a refusal
let refusal: unknown;
try {
  await shop.orders.cancel(placed.body.id);
} catch (error) {
  if (!shop.orders.cancel.isProblem(error, "ORDER_CONFIRMED")) throw error;
  // @ts-expect-error it is known to be another code
  void (error.code === "ORDER_NOT_FOUND");
  refusal = {
    code: error.code satisfies "ORDER_CONFIRMED",
    status: error.status,
    isNamed: error.requestId !== undefined,
  };
}

// ---- an expired token: ten calls, one renewal
session.set({ ...session.tokens!, accessToken: "expired" });
await Promise.all(Array.from({ length: 10 }, () => shop.me.get()));
const renewals = asked("POST /api/v1/auth/refresh").length;

// ---- a key of a machine
const { key } = await shop.me.createKey({ name: "robot", scopes: ["orders:read"] });
const robot = createClient({ url, credentials: apiKey(key) });
const seenByKey = (await robot.orders.get(placed.body.id)).status;

// ---- given up
const leaving = new AbortController();
const left = shop.products.list({}, { signal: leaving.signal }).catch((error: unknown) => error);
leaving.abort("left the page");

// Mistakes, which compile only because each of them is marked. They are not called.
export const mistakes = [
  // @ts-expect-error no such operation
  () => shop.orders.ship("1"),
  // @ts-expect-error a required field is missing
  () => shop.auth.login({ email: "a@example.org" }),
  // @ts-expect-error a field that products do not have
  () => product.prize,
  // @ts-expect-error a value that is not among those of the enumeration
  () => shop.products.list({ sort: "weight" }),
];

console.log(
  JSON.stringify({
    name: user.name,
    hasProducts: total > 5,
    cheapest: rows[0]!.price.amount <= rows[1]!.price.amount,
    pages: new Set(first).size,
    status: placed.status,
    isReplayed: placed.headers.get("Idempotency-Replayed"),
    attempts: attempts.length,
    keys: new Set(attempts.map(({ key }) => key)).size,
    orders: orders.rows.length,
    statuses,
    refusal,
    renewals,
    seenByKey,
    left: await left,
  }),
);
