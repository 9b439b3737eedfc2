// Chooses the node that answers a call. An action that declares `placement: "id"` goes to the owner of that id by
// rendezvous hashing: every node with the same list of nodes chooses the same one. Any other call stays local where it
// can, else in the zone. Nodes that failed this call are left out, and nodes with an open circuit are not in the list.
// With one endpoint Moleculer does not ask a strategy, so this costs nothing in one process.
import { Strategies, type ActionEndpoint, type Context } from "moleculer";
import { rendezvous } from "../actor/index.ts";

interface Placed {
  placement?: string;
}

export class PlacementStrategy extends Strategies.RoundRobin {
  override select(all: ActionEndpoint[], ctx?: Context): any {
    const tried = (ctx?.options as { tried?: ReadonlySet<string> } | undefined)?.tried;
    const list = tried ? prefer(all, ({ id }) => !tried.has(id)) : all;
    const key = placementKey(list, ctx);
    if (key !== undefined) return rendezvous(key, list, endpoint => endpoint.id);
    const here = list.filter(({ local }) => local);
    if (here.length > 0) return super.select(here);
    const zone = zoneOf(this.broker);
    return super.select(zone === undefined ? list : prefer(list, ({ node }) => zoneOf(node) === zone));
  }
}

/** The endpoints that fit, or all when none does. */
function prefer(list: ActionEndpoint[], fits: (endpoint: ActionEndpoint) => boolean): ActionEndpoint[] {
  const fitting = list.filter(fits);
  return fitting.length > 0 ? fitting : list;
}

const zoneOf = ({ metadata }: { metadata?: Record<string, unknown> | null }): unknown => metadata?.zone;

/** The gateway chooses the endpoint before it builds the params: then the value is still in the request's params. */
function placementKey(list: ActionEndpoint[], ctx?: Context): string | undefined {
  const by = (list[0]?.action as Placed | undefined)?.placement;
  if (by === undefined) return undefined;
  const params = ctx?.params as { [key: string]: unknown; req?: { $params?: Record<string, unknown> } } | undefined;
  const value = params?.[by] ?? params?.req?.$params?.[by];
  return typeof value === "string" ? value : undefined;
}
