// Every packet of the bus is proven before anything reads it, where nodes have keys (`CLUSTER_KEYS`). Calls within this
// process never pass here, and cost nothing.
//
//   1. a packet comes from one run of one node, as it was sent, once (`identity/identity.ts`)
//   2. a node announces the services that its role may run, and no others: a ghost `accounts.login` is no endpoint. It owns
//      the logs of its role's actors, and emits no events of the others
//   3. an answer comes from the node that was asked
//   4. the person behind a call is whom their token names: `meta.user` of another node is not believed. A call without a
//      person is one on nobody's behalf: the sealed packet proves which node makes it, and the node that answers decides by
//      that node's role (`identity/calls-of-nobody.ts`). `meta.onBehalf`, which gives no rights, is for records only: it is
//      believed of a node whose role may run the service that it says calls
//
// Without keys the bus is trusted, and a start says so.
import type { JSONWebKeySet } from "jose";
import { Errors, type Middleware, type ServiceBroker } from "moleculer";
import { callErrors, type Meta, type User } from "../../contract/index.ts";
import {
  ALL_SERVICES,
  clusterKeysIn,
  mayOwn,
  mayRun,
  Misconfigured,
  nodeEnvironment,
  systemClock,
  type Role,
} from "../../kernel/index.ts";
import { brokerEnvironment } from "../environment.ts";
import { AccessTokens } from "../identity/access-tokens.ts";
import type { Certified } from "../identity/certificate.ts";
import { mayCallForNobody, type Judged } from "../identity/calls-of-nobody.ts";
import { believed } from "../identity/described-services.ts";
import { NodeIdentity } from "../identity/identity.ts";
import { Refusals } from "../identity/refusals.ts";
import type { Packet } from "../transporters/asking.ts";

/** The action that answers the public keys of access tokens as a JWK set. */
const KEYS_ACTION = "accounts.jwks";

/** The parts of Moleculer's transporter and transit that we use. */
interface Transporter {
  prefix: string;
  deserialize(type: string, data: Buffer): { payload: Payload };
  messageHandler(type: string, packet: object): Promise<unknown>;
}
interface Transit {
  tx: Transporter;
  pendingRequests: Map<string, { nodeID: string }>;
  sendResponse(nodeId: string, id: string, meta: object, headers: object, data: unknown, error: Error): Promise<void>;
}
interface Actions {
  get(name: string): { localEndpoints: readonly { service: { name: string }; action: Judged }[] } | undefined;
}
interface Payload {
  readonly sender?: string;
  readonly id?: string;
  readonly action?: string;
  readonly event?: string;
  /** Full name of the service that calls. */
  readonly caller?: string | null;
  readonly instanceID?: string;
  services?: readonly object[];
  meta?: Meta | null;
}
type Send = (topic: string, data: Buffer, meta: { packet: Packet }) => Promise<void>;
type Receive = (type: string, data: Buffer, ...more: unknown[]) => Promise<unknown> | void;

/** A person who is not logged in, as each node believes it: such a person may do less than nobody. */
const STRANGER: User = Object.freeze({ id: "", roles: Object.freeze([]) });

export const identity = (broker: ServiceBroker): Middleware => {
  const keys = clusterKeysIn(broker);
  if (!keys) return { name: "Identity", started: warnOfTrust };
  const refusals = new Refusals(broker);
  const owned = new Set([...keys.roles.values()].flatMap(({ actors = [] }) => actors));
  const tokens = new AccessTokens({
    fetchKeys: () => broker.call<JSONWebKeySet, object>(KEYS_ACTION, {}),
    issuer: brokerEnvironment.of(broker).TOKEN_ISSUER,
    clock: systemClock,
  });
  let made: NodeIdentity | undefined;
  /** Made with the first packet: the transporter has its prefix by then. */
  const own = (): NodeIdentity =>
    (made ??= new NodeIdentity({
      keys,
      cluster: transit().tx.prefix,
      nodeId: broker.nodeID,
      instance: broker.instanceID,
    }));
  const actions = (): Actions => broker.registry.actions as unknown as Actions;
  const transit = (): Transit => broker.transit as unknown as Transit;

  const take = (type: string, from: Certified, packet: { payload: Payload }): Promise<unknown> | void => {
    const { tx, pendingRequests } = transit();
    const { payload } = packet;
    switch (type) {
      case "INFO": {
        if (payload.instanceID !== from.instance) return refusals.add("forged", `INFO of ${from.nodeId}`);
        const { services, refused } = believed(payload.services, from.role);
        for (const name of refused)
          refusals.add("not-of-role", `${from.nodeId} announces ${name}, which its role ${from.role.name} may not run`);
        payload.services = services;
        break;
      }
      case "RES": {
        const asked = pendingRequests.get(payload.id ?? "");
        // A late answer is counted by Moleculer.
        if (asked && asked.nodeID !== from.nodeId)
          return refusals.add("not-asked", `${from.nodeId} answers for ${asked.nodeID}`);
        // A caller merges the answer's meta into its own.
        delete payload.meta?.user;
        delete payload.meta?.token;
        delete payload.meta?.onBehalf;
        break;
      }
      case "REQ":
      case "EVENT": {
        const actor = type === "EVENT" ? `${payload.event}`.split(".", 1)[0]! : "";
        if (owned.has(actor) && !mayOwn(from.role, actor))
          return refusals.add("not-of-role", `${from.nodeId} emits events of ${actor}, which are not its role's`);
        const meta = (payload.meta ??= {});
        const user = typeof meta.token === "string" ? tokens.known(meta.token) : withoutToken(meta, from, keys.own);
        if (user === "unproven" || (user === undefined && meta.token !== undefined))
          return prove(meta).then(
            () => tx.messageHandler(type, packet),
            (error: Error) => {
              refusals.add("caller-unproven", `${from.nodeId} calls for a person, without a valid token of theirs`);
              if (type === "EVENT") return undefined;
              return transit().sendResponse(from.nodeId, payload.id!, {}, {}, null, error);
            },
          );
        // Only a service says on whose behalf it calls, and only of itself.
        if (user || !isOfRole(from.role, payload.caller)) delete meta.onBehalf;
        if (user) meta.user = user;
        else if (type === "REQ" && !isForNobody(from, payload)) return forbid(from, payload);
      }
    }
    return tx.messageHandler(type, packet);
  };

  /** A call of an action that is not here is answered by Moleculer. */
  const isForNobody = ({ role }: Certified, { action }: Payload): boolean => {
    const [endpoint] = actions().get(action ?? "")?.localEndpoints ?? [];
    return endpoint === undefined || mayCallForNobody(role, endpoint.service.name, endpoint.action);
  };

  const forbid = ({ nodeId, role }: Certified, { id, action }: Payload): Promise<unknown> => {
    refusals.add(
      "not-of-role",
      `${nodeId} calls ${action} on nobody's behalf, which no service of ${role.name} may do`,
    );
    const message = `${action} is not for services of the role ${role.name}: name the caller in callers of its contract, or call for a person`;
    return transit().sendResponse(nodeId, id!, {}, {}, null, callErrors.FORBIDDEN({ message }));
  };

  const prove = async (meta: Meta): Promise<void> => {
    if (meta.token === undefined) throw callErrors.CALLER_UNPROVEN();
    meta.user = await tokens.verify(meta.token);
  };

  return {
    name: "Identity",
    transporterSend(next: Send): Send {
      return function write(topic, data, meta) {
        const { type, target } = meta.packet;
        const packet = own().write(data, type, target ?? null);
        if (packet) return next(topic, packet, meta);
        return unknownNode(meta.packet);
      };
    },
    transporterReceive(next: Receive): Receive {
      return function read(type, data, ...more) {
        const found = own().read(data, type);
        if (found === "own") return undefined;
        if ("refused" in found) return refusals.add(found.refused, `a packet ${type} that is not proven`);
        const { from, text } = found;
        // Workers of one machine tell each other of the others in packets of their own, which the transporter reads.
        if (type.startsWith("GOSSIP")) return next(type, text, ...more);
        try {
          const packet = transit().tx.deserialize(type, text);
          if (packet.payload.sender === from.nodeId) return take(type, from, packet);
        } catch (error) {
          broker.logger.debug("a packet of the bus cannot be read", error);
        }
        return refusals.add("forged", `${from.nodeId} sends a packet ${type} of another node`);
      };
    },
    async started() {
      const foreign = broker.services.find(({ name }) => !name.startsWith("$") && !mayRun(keys.own, name));
      if (foreign)
        throw new Misconfigured(
          `NODE_KEY is the key of ${keys.own.name}, which may not run ${foreign.name}: name it in CLUSTER_KEYS, or leave it out`,
        );
    },
  } as unknown as Middleware;
};

const isOfRole = (role: Role, service: string | null | undefined): boolean =>
  typeof service === "string" && mayRun(role, service.slice(service.lastIndexOf(".") + 1));

/** A packet that must be sealed, for a node that has not shown its certificate: nothing was sent. */
function unknownNode({ type, target, payload }: Packet): Promise<never> {
  const { action } = payload as { action: string };
  const nodeID = target ?? "";
  if (type !== "REQ") return Promise.reject(new Errors.BrokerDisconnectedError(`node '${nodeID}' is not known`));
  return Promise.reject(new Errors.ServiceNotAvailableError({ action, nodeID }));
}

/**
 * A call without a token: of nobody (undefined), of a person who is not logged in, or of one who is made up. Workers of one
 * machine are one program: they believe each other whom an operator's terminal on that machine names.
 */
function withoutToken(meta: Meta, { role }: Certified, own: Role): User | undefined | "unproven" {
  const { user } = meta;
  if (user === undefined) return undefined;
  if (user !== null && own.anyNodeId && role.name === own.name && mayRun(own, ALL_SERVICES)) return user;
  const isStranger = user !== null && user.id === "" && Array.isArray(user.roles) && user.roles.length === 0;
  return isStranger ? STRANGER : "unproven";
}

async function warnOfTrust(broker: ServiceBroker): Promise<void> {
  if (nodeEnvironment.of(broker).NATS_URL === undefined || !broker.transit) return;
  broker.logger.warn(
    "the bus is trusted: whoever reaches NATS can call every action as anybody. Give the nodes CLUSTER_KEYS and NODE_KEY",
  );
}
