import Type from "typebox";
import { ActorId } from "../../../mixins/contract/index.ts";
import { route } from "../route.ts";

export const inventory = [
  route("GET /inventory/:sku", "inventory.level", {
    summary: "How much of a SKU is available and reserved",
    access: "public",
    path: { sku: ActorId },
    params: ({ path }) => path,
  }),
  route("POST /inventory/:sku/receive", "inventory.receive", {
    summary: "Book goods that came in",
    access: "admin",
    path: { sku: ActorId },
    body: { quantity: Type.Integer({ minimum: 1, maximum: 1_000_000 }) },
    params: ({ path, body }) => ({ id: path.sku, quantity: body.quantity }),
    idempotent: true,
  }),
];
