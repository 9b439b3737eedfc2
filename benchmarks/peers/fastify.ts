// Orders on Fastify and pg, written by hand: verified token, validated body, a row for the order and one for the outbox
// in one transaction. Prices come from a map in memory.
import { randomUUID } from "node:crypto";
import jwt from "@fastify/jwt";
import fastify from "fastify";
import pg from "pg";
import { task, tell } from "../contender.ts";

interface Product {
  readonly id: string;
  readonly sku: string;
  readonly name: string;
  readonly price: { readonly amount: number; readonly currency: string };
}
interface Body {
  readonly lines: readonly { readonly productId: string; readonly quantity: number }[];
  readonly shippingAddress: Record<string, string>;
  readonly payment: { readonly method: string; readonly token: string };
}

const { url, poolSize, publicKey, issuer, products } = task() as {
  url: string;
  poolSize: number;
  publicKey: string;
  issuer: string;
  products: readonly Product[];
};
const catalog = new Map(products.map(product => [product.id, product]));

const pool = new pg.Pool({ connectionString: url, max: poolSize });
await pool.query(`
  create table orders (
    id uuid primary key, customer uuid not null, status text not null, total integer not null, currency text not null,
    lines jsonb not null, shipping_address jsonb not null, idempotency_key text not null, placed_at timestamptz not null,
    unique (customer, idempotency_key)
  );
  create table outbox (
    position bigint generated always as identity primary key, order_id uuid not null, type text not null,
    payload jsonb not null, created_at timestamptz not null default now()
  )`);

const text = (maxLength: number) => ({ type: "string", minLength: 1, maxLength });
const object = (properties: object, required = Object.keys(properties)) => ({
  type: "object",
  additionalProperties: false,
  properties,
  required,
});
const money = object({ amount: { type: "integer" }, currency: { type: "string" } });
const line2 = { type: "string", maxLength: 200 };
const schema = {
  headers: { type: "object", properties: { "idempotency-key": text(128) }, required: ["idempotency-key"] },
  body: object({
    lines: {
      type: "array",
      minItems: 1,
      maxItems: 100,
      items: object({
        productId: { type: "string", format: "uuid" },
        quantity: { type: "integer", minimum: 1, maximum: 1_000 },
      }),
    },
    shippingAddress: object(
      {
        name: text(200),
        line1: text(200),
        line2,
        city: text(100),
        postalCode: text(20),
        country: { type: "string", pattern: "^[A-Z]{2}$" },
      },
      ["name", "line1", "city", "postalCode", "country"],
    ),
    payment: object({
      method: { type: "string", enum: ["card"] },
      token: { ...text(200), pattern: "^[A-Za-z0-9_-]+$" },
    }),
  }),
  response: {
    201: object({
      id: { type: "string" },
      status: { type: "string" },
      total: money,
      lines: {
        type: "array",
        items: object({
          productId: { type: "string" },
          sku: { type: "string" },
          name: { type: "string" },
          quantity: { type: "integer" },
          unitPrice: money,
        }),
      },
      placedAt: { type: "string" },
    }),
  },
};

const app = fastify({ logger: false });
await app.register(jwt, {
  secret: { private: "", public: publicKey },
  verify: { algorithms: ["ES256"], allowedIss: issuer, allowedAud: issuer, cache: true },
});
app.post<{ Body: Body }>(
  "/api/v1/orders",
  { schema, onRequest: request => request.jwtVerify() },
  async (request, reply) => {
    const { sub } = request.user as { sub: string };
    const { lines: wanted, shippingAddress, payment } = request.body;
    const lines = wanted.map(({ productId, quantity }) => {
      const product = catalog.get(productId);
      if (!product) throw Object.assign(new Error(`there is no product ${productId}`), { statusCode: 422 });
      return { productId, sku: product.sku, name: product.name, quantity, unitPrice: product.price };
    });
    const amount = lines.reduce((sum, { quantity, unitPrice }) => sum + quantity * unitPrice.amount, 0);
    const total = { amount, currency: lines[0]!.unitPrice.currency };
    const order = { id: randomUUID(), status: "placed", total, lines, placedAt: new Date().toISOString() };
    const client = await pool.connect();
    try {
      await client.query("begin");
      await client.query({
        name: "order",
        text: `insert into orders (id, customer, status, total, currency, lines, shipping_address, idempotency_key, placed_at)
               values ($1, $2, 'placed', $3, $4, $5, $6, $7, $8)`,
        values: [
          order.id,
          sub,
          total.amount,
          total.currency,
          JSON.stringify(lines),
          JSON.stringify(shippingAddress),
          request.headers["idempotency-key"],
          order.placedAt,
        ],
      });
      await client.query({
        name: "outbox",
        text: "insert into outbox (order_id, type, payload) values ($1, 'order.placed', $2)",
        values: [order.id, JSON.stringify({ ...order, customer: sub, shippingAddress, payment })],
      });
      await client.query("commit");
    } catch (error) {
      await client.query("rollback");
      throw error;
    } finally {
      client.release();
    }
    return reply.code(201).header("Location", `/api/v1/orders/${order.id}`).send(order);
  },
);
await app.listen({ port: 0, host: "127.0.0.1" });
tell({ ready: (app.server.address() as { port: number }).port });
