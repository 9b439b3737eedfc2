// A real broker with a real gateway on a real port. Small services behind it answer by a domain's contracts and record
// the calls that reached them. The gateway's own tests use the library (`library.fixture.ts`); a domain's tests of its
// routes use their own contracts.
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exportJWK, generateKeyPair, SignJWT, type JWTHeaderParameters } from "jose";
import { ServiceBroker, type Context, type Middleware, type ServiceSchema } from "moleculer";
import { brokerOptions } from "../broker/index.ts";
import {
  ActorId,
  defineService,
  errorsOf,
  paramsOf,
  returnsOf,
  permissionOf,
  type AnyContract,
  type Meta,
} from "../contract/index.ts";
import { COMMAND_ID, fingerprintOf, newId, readEnvironment, Refusal, REPLAYED } from "../kernel/index.ts";
import type { GatewayService } from "./mixin.ts";
import type { StreamedEvent } from "./route/route.ts";

/** A call that reached a service. */
export interface Reached {
  readonly action: string;
  readonly params: any;
  readonly commandId: string | undefined;
  readonly user: { id: string; roles: readonly string[] } | undefined;
  readonly address: string | undefined;
}
export type Handlers = Record<string, (ctx: any) => unknown>;
export interface Domain {
  /** Contracts of the small services. `answers` answers all their actions, and the commands that it names. */
  readonly contracts: readonly unknown[];
  readonly answers: Handlers;
  /** Real services, the gateway among them. */
  readonly services: readonly ServiceSchema<any, any, any, any>[];
  /** Roles of a token that names none. */
  readonly roles: readonly string[];
}
export type RunningGateway = Awaited<ReturnType<typeof startGateway>>;
export type Signer = Awaited<ReturnType<typeof newSigner>>;

export const ISSUER = "valence";

/** Keeps histories of actors and answers to commands, as an event-sourced service does. */
export class Recordings {
  readonly #answers = new Map<string, { fingerprint: string; answer: unknown }>();
  readonly histories = new Map<
    string,
    {
      owner: string;
      events: StreamedEvent[];
      /** Runs between a read and its reply. */
      afterRead?: () => Promise<void> | void;
    }
  >();

  /** The recorded answer for a command id, as an actor gives it. */
  recorded(ctx: Context<any>, kind: string, answer: () => unknown): unknown {
    const id = commandIdOf(ctx);
    const fingerprint = fingerprintOf(kind, ctx.params);
    const first = id === undefined ? undefined : this.#answers.get(`${ctx.params.id}/${id}`);
    if (first && first.fingerprint !== fingerprint)
      throw new Refusal("COMMAND_ID_REUSED", { status: 422, field: "commandId" });
    if (first) {
      (ctx.meta as Meta)[REPLAYED] = id!;
      return first.answer;
    }
    const given = answer();
    if (id !== undefined) this.#answers.set(`${ctx.params.id}/${id}`, { fingerprint, answer: given });
    return given;
  }

  /** A page of the history from a version on, for its owner alone; others are refused with this code. */
  async history(ctx: Context<any, any>, notFound: string): Promise<unknown> {
    const history = this.histories.get(ctx.params.id);
    if (!history || history.owner !== ctx.meta.user.id) throw new Refusal(notFound);
    const from = ctx.params.from ?? 1;
    const page = { id: ctx.params.id, events: history.events.filter(({ version }) => version >= from).slice(0, 100) };
    await history.afterRead?.();
    return page;
  }
}

const commandIdOf = (ctx: unknown): string | undefined =>
  (ctx as { headers?: Record<string, string> }).headers?.[COMMAND_ID];

/** Starts everything. `domainOf` gets what its answers need: the signer of tokens, and recordings. */
export async function startGateway(
  domainOf: (signer: Signer, recordings: Recordings) => Domain,
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
  const recordings = new Recordings();
  const { contracts, answers, services, roles: usualRoles } = domainOf(signer, recordings);
  const handle = (name: string) => (ctx: Context<any, any>) => {
    const { user, address } = ctx.meta;
    reached.push({ action: name, params: ctx.params, commandId: commandIdOf(ctx), user, address });
    return answers[name]!(ctx);
  };
  for (const contract of contracts as AnyContract[]) {
    const actions: Record<string, unknown> = {};
    for (const action of Object.keys(contract.actions)) actions[action] = handle(`${contract.service}.${action}`);
    const schema = defineService(contract, { actions } as never);
    for (const [command, params] of Object.entries<any>(contract.commands))
      if (answers[`${contract.service}.${command}`])
        (schema.actions as Record<string, unknown>)[command] = {
          visibility: "public",
          params: paramsOf({ id: ActorId, ...params }),
          ...permissionOf(contract, command),
          ...returnsOf(contract, command),
          ...errorsOf(contract, command),
          handler: handle(`${contract.service}.${command}`),
        };
    broker.createService(schema);
  }
  for (const schema of services) broker.createService(schema);
  await broker.start();
  const service = broker.getLocalService("api") as GatewayService;
  const { url } = service;

  return {
    broker,
    url,
    port: Number(new URL(url).port),
    service,
    reached,
    /** Requests that the router has begun and not ended. */
    running,
    histories: recordings.histories,
    signer,
    /** An access token as `accounts` makes it. */
    token: (id: string, roles: readonly string[] = usualRoles) => signer.sign({ sub: id, roles }),
    /** A request with JSON in and out; undici follows no redirect and changes nothing in it. */
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

/** A key pair and the tokens that it signs; every part of a token can be replaced. */
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
