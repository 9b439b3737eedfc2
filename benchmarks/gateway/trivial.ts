// Servers for one trivial answer, one at a time in a process of its own: started by gateway.ts.
//
//   bare   moleculer-web with an alias to an action, nothing else
//   ours   the runtime's gateway with everything on: token, limits, checks, access log, metrics
import { generateKeyPair, exportJWK, SignJWT } from "jose";
import { ServiceBroker } from "moleculer";
import ApiGateway from "moleculer-web";
import type { AddressInfo, Server } from "node:net";
import Type from "typebox";
import { brokerOptions } from "@valence/runtime/broker";
import { defineContract, defineService } from "@valence/runtime/contract";
import { route } from "@valence/runtime/gateway";
import { Gateway, type GatewayService } from "@valence/runtime/gateway/mixin";
import { newId, readEnvironment } from "@valence/runtime/kernel";
import { task, tell } from "../contender.ts";
import { Stopwatch, type StepCost } from "./stopwatch.ts";

export type TrivialTask = { readonly server: "bare" | "ours"; readonly env?: Readonly<Record<string, string>> };
/** The process tells this besides its port. */
export interface TrivialTold {
  readonly token: string;
}

const greetings = defineContract({
  service: "greetings",
  actions: {
    say: { params: { name: Type.String({ maxLength: 100 }) }, returns: Type.Object({ text: Type.String() }) },
  },
});
const tokens = defineContract({
  service: "tokens",
  actions: { jwks: { params: {}, returns: Type.Object({}) } },
});
declare global {
  interface Contracts {
    greetings: typeof greetings;
    tokens: typeof tokens;
  }
}
const say = ({ params: { name } }: { params: { name: string } }) => ({ text: `Good morning, ${name}` });

/** `GET /greetings/:name` by moleculer-web alone, as its documentation starts. */
async function bare(): Promise<number> {
  const broker = new ServiceBroker({ logger: false });
  broker.createService({ name: "greetings", actions: { say: { params: { name: "string" }, handler: say } } } as never);
  const api = broker.createService({
    name: "api",
    mixins: [ApiGateway],
    settings: {
      port: 0,
      ip: "127.0.0.1",
      logRequest: null,
      logResponse: null,
      routes: [{ path: "/api/v1", mappingPolicy: "restrict", aliases: { "GET /greetings/:name": "greetings.say" } }],
    },
  });
  await broker.start();
  return ((api as unknown as { server: Server }).server.address() as AddressInfo).port;
}

/** The same route behind the whole pipeline, for a user that is logged in. */
async function ours(env: Readonly<Record<string, string>>): Promise<{ port: number; token: string }> {
  const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid: "bench", alg: "ES256", use: "sig" };
  const broker = new ServiceBroker({
    ...brokerOptions(readEnvironment({ PORT: "0", LOGLEVEL: "warn", ...env })),
    logger: false,
  });
  broker.createService(defineService(greetings, { actions: { say } }));
  broker.createService(defineService(tokens, { actions: { jwks: () => ({ keys: [jwk] }) } }));
  const routes = [
    route("GET /greetings/:name", "greetings.say", {
      summary: "A greeting",
      path: greetings.actions.say.params,
      params: ({ path }) => path,
    }),
  ];
  broker.createService(Gateway({ api: { name: "Greetings" }, routes, keys: "tokens.jwks" }));
  await broker.start();
  const service = broker.getLocalService("api") as unknown as GatewayService;
  const token = await new SignJWT({ roles: [] })
    .setProtectedHeader({ alg: "ES256", kid: "bench", typ: "at+jwt" })
    .setIssuer("valence")
    .setAudience("valence")
    .setSubject(newId())
    .setJti(newId())
    .setIssuedAt()
    .setExpirationTime("1h")
    .sign(privateKey);
  const stopwatch = new Stopwatch();
  process.on("message", (message: string) => {
    if (message === "time the steps") service.pipeline = stopwatch.wrap(service.pipeline);
    if (message === "tell the times") process.send!({ ready: 0, costs: stopwatch.costs() } satisfies Told);
  });
  return { port: Number(new URL(service.url).port), token };
}
type Told = { readonly ready: number; readonly costs: readonly StepCost[] };

const it = task() as TrivialTask;
if (it.server === "bare") tell({ ready: await bare() });
else {
  const { port, token } = await ours(it.env ?? {});
  process.send!({ ready: port, token });
}
