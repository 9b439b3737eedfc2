// Whether the bus believes everybody: the nodes of a cluster on NATS should have keys.
import { clusterKeysIn, nodeEnvironment, type Environment } from "../../kernel/index.ts";
import { fail, ok, warn, type Result } from "./finding.ts";

const ADVICE = "make keys by `npx valence cluster-keys` and give each node CLUSTER_KEYS and NODE_KEY";
const UNOWNED = "any role may own any log: CLUSTER_KEYS names no actors, so that a stolen key can forge events of all";
const ADVICE_ON_OWNERS =
  'add `"actors"` to the keys of the roles whose services own events, as `npx valence cluster-keys core=loans:loan` does';

/** The finding about the bus that NATS_URL names; none where there is no bus. `isProduction`: NODE_ENV says so. */
export function busOf(environment: Environment, isProduction: boolean): readonly Result[] {
  if (nodeEnvironment.of(environment).NATS_URL === undefined) return [];
  const keys = clusterKeysIn(environment);
  if (keys && keys.own.actors === undefined) return [warn("identity", UNOWNED, ADVICE_ON_OWNERS)];
  if (keys) return [ok("identity", `nodes prove who they are, this one as ${keys.own.name}`)];
  const message = "the bus is trusted: whoever reaches NATS can call every action as anybody";
  return [(isProduction ? fail : warn)("identity", message, ADVICE)];
}
