// The shop's routes before small services that answer by the shop's contracts.
import type { ServiceSchema } from "moleculer";
import { newId } from "@valence/runtime/kernel";
import { startGateway as start, type Handlers, type RunningGateway } from "../../mixins/gateway/gateway.fixture.ts";
import { contract as accounts } from "../accounts/contract.ts";
import { auditContract as audit } from "@valence/runtime/audit";
import { contract as carts } from "../carts/contract.ts";
import { contract as catalog } from "../catalog/contract.ts";
import { contract as inventory } from "../inventory/contract.ts";
import ops from "../ops/ops.service.ts";
import { contract as orderViews } from "../order-views/contract.ts";
import { contract as orders } from "../orders/contract.ts";
import { contract as payments } from "../payments/contract.ts";
import api from "./api.service.ts";

export { newSigner, raw } from "../../mixins/gateway/gateway.fixture.ts";
export type Gateway = RunningGateway;

export const product = {
  id: newId(),
  sku: "mug",
  name: "Mug",
  description: "",
  price: { amount: 900, currency: "EUR" },
  category: "kitchen",
  createdAt: "2026-01-01T00:00:00.000Z",
  updatedAt: "2026-01-01T00:00:00.000Z",
};
export const orderBody = {
  lines: [{ productId: product.id, quantity: 2 }],
  shippingAddress: { name: "A", line1: "1 Road", city: "Bonn", postalCode: "53111", country: "DE" },
  payment: { method: "card", token: "tok_ok" },
};

/** Starts everything; `handlers` replace answers (`"catalog.get": ctx => …`), `extra` adds services. */
export const startGateway = (
  handlers: Handlers = {},
  extra: readonly ServiceSchema[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<Gateway> =>
  start((signer, recordings) => {
    const person = {
      id: newId(),
      email: "a@example.com",
      name: "A",
      roles: ["customer"],
      createdAt: "2026-01-01T00:00:00.000Z",
    };
    const page = { rows: [], total: 0, page: 1, pageSize: 20 };
    return {
      contracts: [accounts, audit, carts, catalog, inventory, orderViews, orders, payments],
      services: [...extra, ops, api],
      roles: ["customer"],
      answers: {
        "accounts.register": () => person,
        "accounts.login": () => ({ accessToken: "a", refreshToken: "r", expiresIn: 900, user: person }),
        "accounts.refresh": () => ({ accessToken: "a", refreshToken: "r", expiresIn: 900, user: person }),
        "accounts.logout": () => ({ loggedOut: true }),
        "accounts.get": ctx => ({ ...person, id: ctx.params.id }),
        "accounts.jwks": () => ({ keys: [signer.jwk] }),
        "audit.list": () => ({ records: [] }),
        "audit.verify": () => ({ state: "done", records: 0, of: 0, ok: true }),
        "audit.export": () => ({ lines: [], records: 0, of: 0 }),
        "audit.status": () => ({ heads: [], removedUpTo: 0, key: { id: "k", publicKey: "" } }),
        "catalog.list": () => page,
        "catalog.get": () => product,
        "catalog.quote": () => ({ products: [product] }),
        "catalog.create": () => product,
        "catalog.update": () => product,
        "catalog.remove": ctx => ({ id: ctx.params.id }),
        "catalog.seed": () => ({ created: 0 }),
        "carts.get": () => ({ items: [] }),
        "carts.put": ctx => ({ items: [{ productId: ctx.params.productId, quantity: ctx.params.quantity }] }),
        "carts.removeItem": () => ({ items: [] }),
        "carts.clear": () => ({ items: [] }),
        "inventory.level": ctx => ({ sku: ctx.params.sku, available: 3, reserved: 1 }),
        "inventory.list": () => page,
        "inventory.adjust": ctx => ({ id: ctx.params.id, version: 2, available: 2 }),
        "inventory.receive": ctx => ({ id: ctx.params.id, version: 1, available: 3 }),
        "order-views.list": () => page,
        "order-views.customer": ctx => ({ customer: ctx.params.customer, orders: 0, shipped: 0, spent: [] }),
        "order-views.sales": () => ({ rows: [] }),
        "orders.place": ctx =>
          recordings.recorded(ctx, "place", () => ({
            id: ctx.params.id,
            version: 1,
            status: "placed",
            total: { amount: 1800, currency: "EUR" },
            lines: [],
            placedAt: "2026-01-01T00:00:00.000Z",
          })),
        "orders.refund": ctx => ({
          id: ctx.params.id,
          version: 7,
          refundId: ctx.params.refundId,
          amount: product.price,
        }),
        "payments.reauthorize": ctx => ({ paymentId: ctx.params.id, status: "authorized" }),
        "payments.provider": () => ({ misconfigured: false, refused: 0 }),
        "payments.notify": () => ({ received: true }),
        "orders.cancel": ctx =>
          recordings.recorded(ctx, "cancel", () => ({ id: ctx.params.id, version: 2, status: "cancelled" })),
        "orders.view": ctx => ({
          id: ctx.params.id,
          version: 1,
          status: "placed",
          customer: ctx.meta.user.id,
          lines: [],
          total: { amount: 1, currency: "EUR" },
          shippingAddress: orderBody.shippingAddress,
          placedAt: "2026-01-01T00:00:00.000Z",
        }),
        "orders.timeline": ctx => recordings.history(ctx, "ORDER_NOT_FOUND"),
        ...handlers,
      },
    };
  }, env);
