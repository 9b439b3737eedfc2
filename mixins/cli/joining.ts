// How an operator's terminal finds the services that run: a process on this machine by its socket, else nodes on NATS.
import { hostname, userInfo } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { ServiceBroker } from "moleculer";
import { databaseEnvironment } from "../database/index.ts";
import { clusterKeysIn, Misconfigured, nodeEnvironment, readEnvironment, type Environment } from "../kernel/index.ts";
import { TERMINAL } from "../operations/ask-nodes.ts";
import { operationsEnvironment } from "../operations/environment.ts";
import { BrokerLink, type Actor } from "../operations/shell/broker-link.ts";
import type { Link } from "../operations/shell/link.ts";
import { joinBySocket } from "../operations/socket/client.ts";
import { auditTable, operationsTable } from "../operations/table/table.ts";
import { assertBusListens, checkServers } from "./preflight.ts";
import { brokerOptionsOf, enterProject } from "./project.ts";

const limits = {
  /** Milliseconds until NATS and a node with the operations have to be in sight. */
  sightMs: 8_000,
};

export interface Joining {
  /** Asks for the rights to look, and for no others. */
  readonly readOnly: boolean;
}

/** All operations of the runtime. */
export const TABLE = [...operationsTable, ...auditTable];

/** Joins services that run; undefined when there are none on this machine, and no bus is named. Throws Misconfigured. */
export async function join({ readOnly }: Joining): Promise<Link | undefined> {
  enterProject();
  const environment = readEnvironment();
  const scopes = [...new Set(TABLE.map(({ permission }) => permission))].filter(one => one.endsWith(":read"));
  const narrowed = readOnly ? { scopes } : {};
  const { DATA_DIR } = databaseEnvironment.of(environment);
  const { OPERATOR_TOKEN: token } = operationsEnvironment.of(environment);
  // Without keys all nodes believe the name of the operating system's user.
  const inTheNameOf = token !== undefined && clusterKeysIn(environment) ? { token } : {};
  const bySocket = await joinBySocket(DATA_DIR, { user: operatorName(), ...narrowed, ...inTheNameOf });
  if (bySocket) return bySocket;
  if (nodeEnvironment.of(environment).NATS_URL === undefined) return undefined;
  return joinByBus(environment, narrowed);
}

/** The user of the operating system who acts; behind sudo the one who called it. */
export function operatorName(): string {
  const { SUDO_USER } = process.env;
  if (SUDO_USER) return SUDO_USER;
  try {
    return userInfo().username;
  } catch {
    // A container's user has a number and no name.
    return `uid-${process.getuid?.() ?? "unknown"}`;
  }
}

/** A node without services of its own, which leaves when the terminal ends; other nodes find it gone when it is killed. */
async function joinByBus(environment: Environment, narrowed: { scopes?: string[] }): Promise<Link> {
  await assertBusListens(environment);
  await checkServers(environment);
  const keys = clusterKeysIn(environment);
  const place = `${operatorName()}-${hostname().toLowerCase()}-${process.pid}`.replaceAll(/[^\w-]/g, "-").slice(0, 90);
  // The node is the terminal's: what the environment says of a node that serves does not hold for it.
  process.env["NODEID"] = keys ? `${keys.own.name}.${place}` : `operator-${place}`;
  delete process.env["HEALTH_PORT"];
  const broker = new ServiceBroker({
    ...(await brokerOptionsOf()),
    cacher: false,
    metadata: TERMINAL,
    logLevel: "error",
    skipProcessEventRegistration: true,
  } as object);
  const start = broker.start().then(() => broker.waitForServices("ops", limits.sightMs));
  const isThere = await Promise.race([start.then(() => true), sleep(limits.sightMs, false, { ref: false })]).catch(
    () => false,
  );
  if (!isThere) {
    void broker.stop().catch(() => {});
    throw new Misconfigured("on NATS_URL no node with the service ops is in sight: start one with npx valence start");
  }
  const { OPERATOR_TOKEN } = operationsEnvironment.of(environment);
  const { actor, who } = actorOf(OPERATOR_TOKEN, keys !== undefined, narrowed);
  return new BrokerLink(broker, {
    about: `joined the bus as node ${broker.nodeID}, ${who}`,
    actor,
    isActorEverywhere: true,
  });
}

/** Nodes with keys believe no name, but the token of a person; a bus that is trusted believes the name. */
function actorOf(token: string | undefined, hasKeys: boolean, narrowed: object): { actor: Actor; who: string } {
  if (token !== undefined) return { actor: { token }, who: "in the name of OPERATOR_TOKEN" };
  if (hasKeys) return { actor: {}, who: "with the rights of its role: OPERATOR_TOKEN would say who acts" };
  const id = `os:${operatorName()}`;
  return { actor: { user: { id, roles: ["admin"] as never, ...narrowed } }, who: `as ${id}` };
}
