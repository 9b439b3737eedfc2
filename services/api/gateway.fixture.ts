// A real broker with the real gateway on a real port, before small services that answer by the real contracts and write
// down what reached them.
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exportJWK, generateKeyPair, SignJWT, type JWTHeaderParameters } from "jose";
import { ServiceBroker, type Context, type Middleware, type Service, type ServiceSchema } from "moleculer";
import { brokerOptions } from "@valence/runtime/broker";
import { ActorId, defineService, errorsOf, paramsOf, returnsOf, rolesOf, type Meta } from "@valence/runtime/contract";
import { COMMAND_ID, fingerprintOf, newId, readEnvironment, Refusal, REPLAYED } from "@valence/runtime/kernel";
import { contract as accounts } from "../accounts/contract.ts";
import { contract as carts } from "../carts/contract.ts";
import { contract as catalog } from "../catalog/contract.ts";
import { contract as inventory } from "../inventory/contract.ts";
import { contract as orderViews } from "../order-views/contract.ts";
import { contract as payments } from "../payments/contract.ts";
import { contract as orders } from "../orders/contract.ts";
import api from "./api.service.ts";
import ops from "../ops/ops.service.ts";

export interface Reached {
  readonly action: string;
  readonly params: any;
  readonly commandId: string | undefined;
  readonly user: { id: string; roles: readonly string[] } | undefined;
  readonly address: string | undefined;
}
export type Gateway = Awaited<ReturnType<typeof startGateway>>;

export const ISSUER = "valence";
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

/** Starts everything; `handlers` replace what a service answers (`"catalog.get": ctx => …`), `extra` adds services. */
export async function startGateway(
  handlers: Record<string, (ctx: any) => unknown> = {},
  extra: readonly ServiceSchema[] = [],
  env: Readonly<Record<string, string>> = {},
) {
  const dataDir = await mkdtemp(join(tmpdir(), "gateway-"));
  const environment = readEnvironment({ DATA_DIR: dataDir, PORT: "0", SHUTDOWN_TIMEOUT_MS: "3000", ...env });
  const options = brokerOptions(environment);
  const running = { requests: 0 };
  const middlewares = [...options.middlewares!, countingRequests(running)];
  const broker = new ServiceBroker({ ...options, middlewares, logger: false });
  const reached: Reached[] = [];
  const signer = await newSigner("key-1");
  const timelines = new Map<
    string,
    {
      owner: string;
      events: { type: string; version: number; at: string; data: unknown }[];
      /** What happens between a read and its reply. */
      afterRead?: () => Promise<void> | void;
    }
  >();
  const commands = new Map<string, { fingerprint: string; answer: unknown }>();

  /** The recorded answer for a command id, as an actor gives it. */
  const recorded = (ctx: Context<any>, kind: string, answer: () => unknown): unknown => {
    const id = (ctx as unknown as { headers?: Record<string, string> }).headers?.[COMMAND_ID];
    const fingerprint = fingerprintOf(kind, ctx.params);
    const first = id === undefined ? undefined : commands.get(`${ctx.params.id}/${id}`);
    if (first && first.fingerprint !== fingerprint)
      throw new Refusal("COMMAND_ID_REUSED", { status: 422, field: "commandId" });
    if (first) {
      (ctx.meta as Meta)[REPLAYED] = id;
      return first.answer;
    }
    const given = answer();
    if (id !== undefined) commands.set(`${ctx.params.id}/${id}`, { fingerprint, answer: given });
    return given;
  };

  const person = {
    id: newId(),
    email: "a@example.com",
    name: "A",
    roles: ["customer"],
    createdAt: "2026-01-01T00:00:00.000Z",
  };
  const page = { rows: [], total: 0, page: 1, pageSize: 20 };
  const answers: Record<string, (ctx: any) => unknown> = {
    "accounts.register": () => person,
    "accounts.login": () => ({ accessToken: "a", refreshToken: "r", expiresIn: 900, user: person }),
    "accounts.refresh": () => ({ accessToken: "a", refreshToken: "r", expiresIn: 900, user: person }),
    "accounts.logout": () => ({ loggedOut: true }),
    "accounts.get": ctx => ({ ...person, id: ctx.params.id }),
    "accounts.jwks": () => ({ keys: [signer.jwk] }),
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
      recorded(ctx, "place", () => ({
        id: ctx.params.id,
        version: 1,
        status: "placed",
        total: { amount: 1800, currency: "EUR" },
        lines: [],
        placedAt: "2026-01-01T00:00:00.000Z",
      })),
    "orders.refund": ctx => ({ id: ctx.params.id, version: 7, refundId: ctx.params.refundId, amount: product.price }),
    "payments.reauthorize": ctx => ({ paymentId: ctx.params.id, status: "authorized" }),
    "payments.provider": () => ({ misconfigured: false, refused: 0 }),
    "payments.notify": () => ({ received: true }),
    "orders.cancel": ctx => recorded(ctx, "cancel", () => ({ id: ctx.params.id, version: 2, status: "cancelled" })),
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
    "orders.timeline": async ctx => {
      const order = timelines.get(ctx.params.id);
      if (!order || order.owner !== ctx.meta.user.id) throw new Refusal("ORDER_NOT_FOUND");
      const page = {
        id: ctx.params.id,
        events: order.events.filter(event => event.version >= (ctx.params.from ?? 1)).slice(0, 100),
      };
      await order.afterRead?.();
      return page;
    },
    ...handlers,
  };
  const handle = (name: string) => (ctx: Context<any, any>) => {
    const commandId = (ctx as unknown as { headers?: Record<string, string> }).headers?.[COMMAND_ID];
    reached.push({ action: name, params: ctx.params, commandId, user: ctx.meta.user, address: ctx.meta.address });
    return answers[name]!(ctx);
  };
  for (const contract of [accounts, carts, catalog, inventory, orderViews, orders, payments] as any[]) {
    const actions: Record<string, unknown> = {};
    for (const action of Object.keys(contract.actions)) actions[action] = handle(`${contract.service}.${action}`);
    const schema = defineService(contract, { actions } as never);
    for (const [command, params] of Object.entries<any>(contract.commands))
      if (answers[`${contract.service}.${command}`])
        (schema.actions as Record<string, unknown>)[command] = {
          visibility: "public",
          params: paramsOf({ id: ActorId, ...params }),
          ...rolesOf(contract, command),
          ...returnsOf(contract, command),
          ...errorsOf(contract, command),
          handler: handle(`${contract.service}.${command}`),
        };
    broker.createService(schema);
  }
  for (const schema of [...extra, ops, api]) broker.createService(schema);
  await broker.start();
  const service = broker.getLocalService("api") as Service & {
    url: string;
    aliases: { method: string; fullPath: string }[];
    streams: { size: number };
  };
  const { url } = service;

  return {
    broker,
    url,
    port: Number(new URL(url).port),
    service,
    reached,
    /** Requests that the router has begun and not ended. */
    running,
    timelines,
    signer,
    /** An access token as `accounts` makes it. */
    token: (id: string, roles: string[] = ["customer"]) => signer.sign({ sub: id, roles }),
    /** A request with JSON in and out; undici follows nothing and normalises nothing that matters here. */
    async http(method: string, path: string, { token, body, headers }: Call = {}) {
      const response = await fetch(`${url}${path}`, {
        method,
        headers: {
          ...(token && { authorization: `Bearer ${token}` }),
          ...(body !== undefined && { "content-type": "application/json" }),
          ...headers,
        },
        ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
      });
      const text = await response.text();
      return { status: response.status, headers: response.headers, text, json: parsed(text) };
    },
    async stop() {
      await broker.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
const countingRequests = (running: { requests: number }): Middleware =>
  ({
    name: "Counting",
    localAction(next: (ctx: Context) => Promise<unknown>, action: { rawName?: string }) {
      if (action.rawName !== "rest") return next;
      return (ctx: Context) => {
        running.requests++;
        return next(ctx).finally(() => running.requests--);
      };
    },
  }) as unknown as Middleware;

interface Call {
  token?: string;
  body?: unknown;
  headers?: Record<string, string>;
}

function parsed(text: string): any {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A key pair and what it signs; every part of a token can be replaced. */
export async function newSigner(kid: string) {
  const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid, alg: "ES256", use: "sig" };
  return {
    jwk,
    privateKey,
    sign(claims: Record<string, unknown>, header: Partial<JWTHeaderParameters> = {}, expires: string | number = "15m") {
      const { iss = ISSUER, aud = ISSUER, jti = newId(), ...rest } = claims;
      const token = new SignJWT({ iss, aud, jti, ...rest } as never)
        .setProtectedHeader({ alg: "ES256", kid, typ: "at+jwt", ...header })
        .setIssuedAt();
      return (expires === "" ? token : token.setExpirationTime(expires)).sign(privateKey);
    },
  };
}

/** Sends bytes and gives back every byte until the other side closes, or until `quietMs` without any. */
export async function raw(port: number, text: string, quietMs = 1_000): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  const chunks: Buffer[] = [];
  socket.setTimeout(quietMs, () => socket.destroy());
  socket.on("error", () => {});
  socket.on("data", chunk => chunks.push(chunk));
  socket.write(text);
  await once(socket, "close");
  return Buffer.concat(chunks).toString("latin1");
}

/** Waits for a condition, 5 s at most. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited in vain: ${what}`);
    await new Promise(resolve => setTimeout(resolve, 10));
  }
}
