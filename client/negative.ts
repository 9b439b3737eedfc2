// Mistakes that the types of the client refuse: each line that is marked must not compile.
import { createClient, type AnswerOf, type CodeOf, type InputOf, type ProblemError, type RowOf } from "./index.ts";

declare const error: unknown;
const shop = createClient();
const address = { name: "Ada", line1: "1 Main St", city: "London", country: "GB" };

/** Never called. */
export async function mistakes(): Promise<void> {
  const order = await shop.orders.place({
    lines: [{ productId: "p", quantity: 2 }],
    shippingAddress: address,
    payment: { method: "card", token: "tok_ok" },
  });
  order.total.amount satisfies number;
  // @ts-expect-error a field that the answer does not have
  void order.totals;
  // @ts-expect-error a required field is missing
  void shop.orders.place({ lines: [], shippingAddress: address });
  // @ts-expect-error the customer is whoever asks
  void shop.orders.list({ customer: "c" });
  // @ts-expect-error the type of a param
  void shop.products.list({ page: "1" });
  // @ts-expect-error a value that is not among those of the enumeration
  void shop.products.list({ sort: "weight" });
  // @ts-expect-error no such operation
  void shop.orders.remove("1");
  // @ts-expect-error two params of the path: one id does not say which
  void shop.users.revokeKey("1");
  // @ts-expect-error more than the id is required
  void shop.cart.put("p");
  void shop.orders.cancel("1");
  void shop.orders.cancel({ id: "1", reason: undefined });
  // @ts-expect-error an order has no pages
  shop.orders.get.all("1");
  (await shop.products.remove("1")) satisfies undefined;

  if (shop.orders.place.isProblem(error)) {
    // @ts-expect-error placing an order does not refuse so
    void (error.code === "ORDER_CONFIRMED");
    void (error.code === "PRICE_CHANGED" || error.code === "RATE_LIMITED" || error.code === "NO_ANSWER");
  }
  // @ts-expect-error a code of another operation
  void shop.orders.get.isProblem(error, "PRICE_CHANGED");
  if (shop.orders.place.isProblem(error, "PRICE_CHANGED")) error satisfies ProblemError<"PRICE_CHANGED">;

  (await shop.productsV2.get("1")).data.unitPrice.amount satisfies number;
  // @ts-expect-error in version 2 it has another name
  void (await shop.productsV2.get("1")).data.price;
  for await (const row of shop.ordersV2.all()) row.state satisfies string;
  for await (const { shipment } of shop.ordersV2.follow("1")) shipment?.trackingId satisfies string | undefined;
  for await (const row of shop.orders.all()) row.total satisfies { amount: number; currency: string };
  for await (const { kind } of shop.ops.deadLetters.all()) void kind;
  for await (const change of shop.orders.follow("1")) {
    change.trackingId satisfies string | undefined;
    // @ts-expect-error a change has no total
    void change.total;
  }
}

export type Named = {
  input: InputOf<typeof shop.orders.place>["payment"];
  answer: AnswerOf<typeof shop.products.get>["price"]["amount"];
  row: RowOf<typeof shop.products.list>["sku"];
  code: CodeOf<typeof shop.orders.cancel> & "ORDER_CONFIRMED";
};
