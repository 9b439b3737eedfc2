// Which node answers a call. An action that declares `placement: "id"` goes to the owner of that id by rendezvous
// hashing, so that every node with the same view sends it to the same place; any other stays local where it can.
// With one endpoint Moleculer does not ask a strategy at all, so in one process this costs nothing.
import { Strategies, type ActionEndpoint, type Context } from "moleculer";
import { rendezvous } from "../mixins/actor/index.ts";

interface Placed {
  placement?: string;
}

export class PlacementStrategy extends Strategies.RoundRobin {
  override select(list: ActionEndpoint[], ctx?: Context): any {
    const key = placementKey(list, ctx);
    if (key !== undefined) return rendezvous(key, list, endpoint => endpoint.id);
    const local = list.filter(endpoint => endpoint.local);
    return super.select(local.length > 0 ? local : list);
  }
}

/** The gateway chooses the endpoint before it builds params: there the param is still in the request. */
function placementKey(list: ActionEndpoint[], ctx?: Context): string | undefined {
  const by = (list[0]?.action as Placed | undefined)?.placement;
  if (by === undefined) return undefined;
  const params = ctx?.params as { [key: string]: unknown; req?: { $params?: Record<string, unknown> } } | undefined;
  const value = params?.[by] ?? params?.req?.$params?.[by];
  return typeof value === "string" ? value : undefined;
}
