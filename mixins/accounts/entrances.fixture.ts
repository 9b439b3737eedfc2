// Accounts and a gateway in one process, over real HTTP and a real database, with a small service behind them that tells
// who asks, and whose events are streamed.
import { get, type IncomingMessage } from "node:http";
import { ServiceBroker } from "moleculer";
import Type from "typebox";
import { brokerOptions } from "../broker/index.ts";
import { ActorId, defineContract, defineService, typedCall, type Meta } from "../contract/index.ts";
import { eventStream, route, type Route } from "../gateway/index.ts";
import { Gateway } from "../gateway/mixin.ts";
import type { GatewayService } from "../gateway/gateway.ts";
import { newId, readEnvironment } from "../kernel/index.ts";
import { COMMITTED } from "../stream/index.ts";
import { newDatabases } from "../testing/servers.ts";
import { Accounts } from "./accounts.ts";
import { accountsContract } from "./contract.ts";
import type { Entrances } from "./exchange/entrances.ts";
import { accountRoutes } from "./routes.ts";

const notes = defineContract({
  service: "notes",
  actions: {
    whoami: { params: {}, returns: Type.Object({}) },
    write: { params: {}, returns: Type.Object({}) },
    timeline: { params: { id: ActorId, from: Type.Optional(Type.Integer()) }, returns: Type.Object({}) },
  },
});

/** Untyped, so that the compiler does not offer the contract of a fixture to every service. */
const looseRoute = route as unknown as (line: string, action: string, spec: object) => Route;
const looseStream = eventStream as unknown as (line: string, action: string, spec: object) => Route;

const noteRoutes: readonly Route[] = [
  looseRoute("GET /whoami", "notes.whoami", { summary: "Who asks", params: () => ({}) }),
  looseRoute("POST /notes", "notes.write", { summary: "A change", params: () => ({}) }),
  looseRoute("GET /open", "notes.whoami", { summary: "For everybody", access: "public", params: () => ({}) }),
  looseRoute("GET /staff", "notes.whoami", { summary: "For administrators", access: "admin", params: () => ({}) }),
  looseStream("GET /notes/:id/stream", "notes.timeline", {
    summary: "What happens to a note",
    path: { id: ActorId },
    actor: "note",
    last: ["note.burnt"],
    params: ({ path }: { path: { id: string } }) => ({ id: path.id }),
    data: ({ data }: { data: unknown }) => ({ data }),
  }),
];

export const contract = accountsContract({ roles: ["guest", "clerk"] });
export const ada = { email: "ada@example.com", password: "violet harbour tin", name: "Ada" };
export const bob = { email: "bob@example.com", password: "copper lantern sky", name: "Bob" };

export interface HttpCall {
  readonly token?: string;
  readonly cookie?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}
export type Entered = Awaited<ReturnType<typeof startEntrances>>;

/** Starts everything. */
export async function startEntrances(
  env: Readonly<Record<string, string>> = {},
  { registered = ["guest"] }: { registered?: readonly string[] } = {},
) {
  const databases = await newDatabases();
  const environment = readEnvironment({ ...databases.env, PORT: "0", SHUTDOWN_TIMEOUT_MS: "3000", ...env });
  const broker = new ServiceBroker({ ...brokerOptions(environment), logger: false });
  const reached: Meta[] = [];
  const events: { type: string; version: number; at: string; data: unknown }[] = [];
  const tell = ({ meta }: { meta: Meta }) => {
    reached.push({ ...meta });
    return { user: meta.user };
  };
  try {
    broker.createService(
      defineService(notes, {
        actions: {
          whoami: tell,
          write: tell,
          timeline({ params: { id, from = 1 }, meta }: { params: { id: string; from?: number }; meta: Meta }) {
            reached.push({ ...meta });
            return { id, events: events.filter(({ version }) => version >= from) };
          },
        },
      } as never),
    );
    broker.createService(Accounts(contract, { registered, firstAdministrator: () => false }));
    broker.createService(
      Gateway({
        api: { name: "Notes" },
        routes: [...accountRoutes(contract), ...noteRoutes],
        sessions: ["reading", "desk"],
      }),
    );
    await broker.start();
  } catch (error) {
    // A start that a wrong variable stops leaves no database behind.
    await broker.stop().catch(() => {});
    await databases.remove();
    throw error;
  }
  const gateway = broker.getLocalService("api") as GatewayService;
  const accounts = broker.getLocalService("accounts") as unknown as Entrances;
  const { url } = gateway;
  const origin = url;

  async function http(method: string, path: string, { token, cookie, body, headers }: HttpCall = {}) {
    const response = await fetch(`${url}${path.startsWith("/.") ? path : `/api/v1${path}`}`, {
      method,
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(cookie !== undefined && { cookie }),
        ...(body !== undefined && { "content-type": "application/json" }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const json = text.startsWith("{") ? JSON.parse(text) : undefined;
    return { status: response.status, headers: response.headers, text, json };
  }

  return {
    broker,
    gateway,
    accounts,
    database: accounts.database,
    call: typedCall(broker),
    url,
    origin,
    reached,
    http,
    /** A person, with a token of a log-in. */
    async person(who: { email: string; password: string; name: string }, roles?: readonly string[]) {
      const { id } = await accounts.users.add({
        email: who.email,
        name: who.name,
        roles: [...(roles ?? registered)],
        passwordHash: await accounts.passwords.hash(who.password),
      });
      const { json } = await http("POST", "/auth/login", { body: { email: who.email, password: who.password } });
      return { id, token: json.accessToken as string, refreshToken: json.refreshToken as string };
    },
    /** Logs a browser in, from a page of the gateway; answers its cookie. */
    async browser({ email, password }: { email: string; password: string }, name?: string, cookie?: string) {
      const body = { email, password, ...(name !== undefined && { for: name }) };
      const headers = { origin };
      const answer = await http("POST", "/session", { body, headers, ...(cookie !== undefined && { cookie }) });
      return { ...answer, cookie: answer.headers.get("set-cookie")?.split(";", 1)[0] ?? "" };
    },
    /** A change of the note whose events are streamed. */
    addEvent(type = "note.written") {
      events.push({ type, version: events.length + 1, at: "2026-01-01T00:00:00.000Z", data: { n: events.length + 1 } });
      void broker.broadcastLocal(COMMITTED, { service: "notes" });
    },
    /** An open event stream. */
    stream: (headers: Record<string, string>, query = "") =>
      new Promise<{ response: IncomingMessage; ids: () => number[]; isOver: () => boolean }>((resolve, reject) => {
        const path = `${url}/api/v1/notes/${newId()}/stream${query}`;
        get(path, { agent: false, headers }, response => {
          let text = "";
          let over = false;
          response.setEncoding("utf8").on("error", () => {});
          response.on("data", (chunk: string) => (text += chunk)).on("end", () => (over = true));
          const ids = () => [...text.matchAll(/^id: (\d+)$/gm)].map(match => Number(match[1]));
          resolve({ response, ids, isOver: () => over });
        }).on("error", reject);
      }),
    async stop() {
      await broker.stop();
      await databases.remove();
    },
  };
}
