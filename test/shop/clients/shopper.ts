// A typed client as a shop's partner would write it: compiled against the types that `openapi-typescript` makes of the
// description, then run against a running shop. Each `@ts-expect-error` is a mistake that the types must refuse.
import createClient from "openapi-fetch";
import type { components, paths } from "./api.ts";

declare const process: { readonly argv: readonly string[] };
const [, , baseUrl = ""] = process.argv;
const api = createClient<paths>({ baseUrl });

function must<T>(answer: { data?: T; error?: { type: string; detail?: string } | undefined }): NonNullable<T> {
  if (answer.data === undefined || answer.data === null)
    throw new Error(`refused: ${answer.error?.type} ${answer.error?.detail}`);
  return answer.data;
}

const account = { email: "clara@example.org", password: "correct horse battery", name: "Clara" };
const user: components["schemas"]["User"] = must(await api.POST("/api/v1/auth/register", { body: account }));
const { email, password } = account;
const { accessToken } = must(await api.POST("/api/v1/auth/login", { body: { email, password } }));
const headers = { Authorization: `Bearer ${accessToken}` };

const page = must(await api.GET("/api/v1/products", { params: { query: { pageSize: 2, sort: "price" } } }));
// A list may be CSV, to a client that asks for it.
if (typeof page === "string") throw new Error("CSV that nobody asked for");
const [first, second] = page.rows as [components["schemas"]["Product"], components["schemas"]["Product"]];
const rising: boolean = first.price.amount <= second.price.amount;

const placed = must(
  await api.POST("/api/v1/orders", {
    headers,
    params: { header: { "Idempotency-Key": "shopper-1" } },
    body: {
      lines: [{ productId: first.id, quantity: 2 }],
      shippingAddress: { name: "Clara", line1: "1 Main St", city: "London", postalCode: "N1", country: "GB" },
      payment: { method: "card", token: "tok_ok" },
    },
  }),
);
const order = must(await api.GET("/api/v1/orders/{id}", { headers, params: { path: { id: placed.id } } }));
const status: "placed" | "stock_reserved" | "paid" | "confirmed" | "shipped" | "rejected" | "cancelled" = order.status;

const refused = await api.PUT("/api/v1/cart/items/{productId}", {
  headers,
  params: { path: { productId: first.id } },
  body: { quantity: 0 },
});
const problem: components["schemas"]["Problem"] | undefined = refused.error;

// Mistakes, which compile only because each of them is marked. They are not called.
export const mistakes = [
  // @ts-expect-error no such path
  () => api.GET("/api/v1/nothing"),
  // @ts-expect-error a field that the description does not have
  () => api.POST("/api/v1/auth/login", { body: { ...account, role: "admin", extra: first.prize } }),
  // @ts-expect-error a required field is missing
  () => api.POST("/api/v1/auth/register", { body: { email: "a@example.org", password: "x" } }),
  // @ts-expect-error a value that is not among those of the enumeration
  () => api.GET("/api/v1/products", { params: { query: { sort: "weight" } } }),
  // @ts-expect-error the type of a parameter
  () => api.GET("/api/v1/products", { params: { query: { page: "1" } } }),
];

console.log(
  JSON.stringify({
    name: user.name,
    rising,
    total: placed.total.amount === first.price.amount * 2,
    status,
    problem: problem?.type,
    field: problem?.errors?.[0]?.field,
  }),
);
