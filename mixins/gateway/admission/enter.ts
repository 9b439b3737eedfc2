// Where every request of a route waits for its turn (`entrance.ts`). It stands before the router, since a refusal costs as
// much as everything that has run until then: 65 µs of processor time here, both ends of the connection included, and 107 µs
// as the first step behind the router.
import { abandon } from "../../kernel/index.ts";
import { isLasting, serviceOf, type Route } from "../route/route.ts";
import { addressOf, type Handler, hasBody } from "../../http/siblings.ts";
import type { GatewayRequest } from "../exchange.ts";
import { aliasOf, type RouterService } from "../moleculer-web.ts";
import type { Entrance } from "./entrance.ts";

interface Gateway extends RouterService {
  readonly entrance: Entrance;
  readonly proxies: number;
  errorHandler(req: GatewayRequest, res: Parameters<Handler>[1], error: unknown): void;
}

/** The handler that lets requests wait, and then hands them to `router`. */
export function enter(gateway: Gateway, routes: readonly Route[], router: Handler): Handler {
  const known = new Map(routes.map(route => [`${route.method} ${route.url}`, entrantOf(route)]));
  return (given, res) => {
    const req = given as GatewayRequest;
    const name = aliasOf(gateway, req);
    const route = name === undefined ? undefined : known.get(name);
    if (!route) return router(req, res);
    gateway.entrance.enter({
      ...route,
      address: addressOf(req, gateway.proxies),
      client: res,
      counts: () => !route.isStream && (req.complete || !hasBody(req.headers)),
      begin: turn => {
        req.$turn = turn;
        router(req, res);
      },
      leave: () => abandon(req.$ctx),
      refuse: error => gateway.errorHandler(req, res, error),
    });
  };
}

const entrantOf = (route: Route) => ({
  service: serviceOf(route),
  route: `${route.method} ${route.url}`,
  priority: route.priority ?? ("normal" as const),
  isStream: isLasting(route),
});
