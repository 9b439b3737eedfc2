// A gateway under overload, as a process of its own: an action of 1 ms of processor time and 5 ms of waiting behind
//
//   ours    our gateway with all its steps
//   plain   the same without the queue in front: every request is begun when it arrives
//   bare    moleculer-web alone, with its own server, without tokens and checks
import { setTimeout as sleep } from "node:timers/promises";
import ApiGateway from "moleculer-web";
import { ServiceBroker } from "moleculer";
import Type from "typebox";
import { defineContract } from "@valence/runtime/contract";
import { route, type Route } from "@valence/runtime/gateway";
import { Gateway } from "@valence/runtime/gateway/mixin";
import { startGateway } from "../../mixins/gateway/gateway.fixture.ts";

const WORK_MS = 1;
const WAIT_MS = 5;
const USERS = 200;

/** Computes something for so many rounds; the compiler must not leave it out. */
let sum = 0;
function compute(rounds: number): void {
  for (let n = 0; n < rounds; n++) sum = (sum * 31 + n) | 0;
}
/** Rounds of a millisecond of processor time: by the clock a machine that does other things too would cut the work short. */
function roundsOf(ms: number): number {
  compute(10_000_000);
  const before = process.cpuUsage();
  compute(100_000_000);
  const { user } = process.cpuUsage(before);
  return Math.round((100_000_000 * ms) / (user / 1_000));
}
const ROUNDS = roundsOf(WORK_MS);

async function work(): Promise<{ done: true }> {
  compute(ROUNDS);
  await sleep(WAIT_MS);
  return { done: true };
}

const none = { params: {}, returns: Type.Object({}) };
const accounts = defineContract({ service: "accounts", actions: { jwks: none } });
const works = defineContract({ service: "works", actions: { pay: none, read: none, search: none } });
const looseRoute = route as unknown as (line: string, action: string, spec: object) => Route;
const routes = [
  looseRoute("POST /pay", "works.pay", { summary: "Pay", priority: "critical", params: () => ({}) }),
  looseRoute("GET /read", "works.read", { summary: "Read", params: () => ({}) }),
  looseRoute("GET /search", "works.search", { summary: "Search", priority: "bulk", params: () => ({}) }),
];

async function serveOurs(isPlain: boolean) {
  const { service, port, token } = await startGateway(
    ({ jwk }) => ({
      contracts: [accounts, works],
      answers: {
        "accounts.jwks": () => ({ keys: [jwk] }),
        "works.pay": work,
        "works.read": work,
        "works.search": work,
      },
      services: [Gateway({ api: { name: "Overload" }, routes })],
      roles: ["user"],
    }),
    // The clients name their addresses: otherwise all of them would be one, with one address's limits.
    { TRUSTED_PROXIES: "1" },
  );
  if (isPlain) service.entrance.enter = ({ begin }) => begin(undefined as never);
  return { port, tokens: await Promise.all(Array.from({ length: USERS }, (_, n) => token(`user-${n}`))) };
}

async function serveBare() {
  const broker = new ServiceBroker({ logger: false });
  broker.createService({ name: "works", actions: { pay: work, read: work, search: work } });
  broker.createService({
    name: "api",
    mixins: [ApiGateway],
    settings: {
      port: 0,
      routes: [
        {
          path: "/api/v1",
          aliases: { "POST /pay": "works.pay", "GET /read": "works.read", "GET /search": "works.search" },
          bodyParsers: { json: true },
        },
        {
          path: "/health",
          aliases: { "GET /live": (_req: unknown, res: { end(text: string): void }) => res.end("{}") },
        },
      ],
    },
  });
  await broker.start();
  const { server } = broker.getLocalService("api") as unknown as { server: { address(): { port: number } } };
  return { port: server.address().port, tokens: [] };
}

const kind = process.argv[2];
process.send!({ ready: await (kind === "bare" ? serveBare() : serveOurs(kind === "plain")) });
// Seconds of processor time until now.
process.on("message", () => {
  const { user, system } = process.cpuUsage();
  process.send!({ result: (user + system) / 1e6 });
});
process.once("disconnect", () => process.exit());
