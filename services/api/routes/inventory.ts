import Type from "typebox";
import { ActorId } from "@valence/runtime/contract";
import { route } from "@valence/runtime/gateway";

export const inventory = [
  route("GET /inventory", "inventory.list", {
    summary: "The stock of every SKU, in their order",
    access: "admin",
    query: {
      page: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })),
      pageSize: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
    },
    params: ({ query }) => query,
  }),
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
  route("POST /inventory/:sku/adjust", "inventory.adjust", {
    summary: "Correct what is available, up or down; what is reserved stays",
    access: "admin",
    path: { sku: ActorId },
    body: {
      quantity: Type.Integer({ minimum: -1_000_000, maximum: 1_000_000 }),
      reason: Type.String({ minLength: 1, maxLength: 500, pattern: "\\S" }),
    },
    params: ({ path, body }) => ({ ...body, id: path.sku }),
    idempotent: true,
  }),
];
