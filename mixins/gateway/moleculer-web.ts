// Everything that we take from moleculer-web (0.11.0), and what we change: it routes, and nothing else. Its server,
// body parser, query parser, error writer and public actions stay off; the request guard runs before it, the pipeline
// after it.
//
// Routes are functions, not action names. So a client can call no action without a route, params are built field by
// field, and meta of a service's context never reaches the client.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Context, Service, ServiceSchema } from "moleculer";
import ApiGateway from "moleculer-web";
import type { GatewayRequest } from "./exchange.ts";
import { isSafePath, pathOf } from "../http/siblings.ts";
import type { Route } from "./route/route.ts";

interface Alias {
  readonly method: string;
  readonly fullPath: string;
  match(path: string): object | false;
  readonly handler: (req: IncomingMessage, res: ServerResponse) => Promise<unknown>;
  toString: () => string;
}
interface Match {
  readonly alias: Alias;
  readonly params: object;
}
export type RouterService = Service & {
  readonly aliases: readonly Alias[];
  /** The aliases that match the last path, for any method: the request guard asks first, the router next. */
  matches: { readonly path: string; readonly found: readonly Match[] };
  matching(path: string): readonly Match[];
  express(): (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void;
  regenerateAllAutoAliases: () => void;
  /** Called when services come or go; the service with this mixin may set it. */
  servicesChanged?: () => void;
};

/** Answers a request of this route. `this` is the service. */
export type Answer<S> = (service: S, route: Route, req: GatewayRequest, res: ServerResponse) => Promise<unknown>;

/** An alias for moleculer-web: its promise goes to `routeHandler`, which is ours, too. */
const handlerOf = <S>(route: Route, answer: Answer<S>) =>
  function (this: S, req: IncomingMessage, res: ServerResponse): Promise<unknown> {
    return answer(this, route, req as GatewayRequest, res);
  };

/** moleculer-web as a mixin that routes requests to `answer`. */
export function Router<S extends RouterService>(routes: readonly Route[], answer: Answer<S>): Partial<ServiceSchema> {
  const schema: Partial<ServiceSchema<any, any, any, S>> = {
    mixins: [ApiGateway],
    settings: {
      server: false,
      $secureSettings: ["routes"],
      logRequest: null,
      logRequestParams: null,
      logResponse: null,
      logRouteRegistration: null,
      routes: [
        {
          path: "/",
          mappingPolicy: "restrict",
          // Path params stay apart from the others; the route itself reads query and body.
          mergeParams: false,
          bodyParsers: false,
          pathToRegexpOptions: { sensitive: true, trailing: false },
          aliases: Object.fromEntries(routes.map(route => [`${route.method} ${route.url}`, handlerOf(route, answer)])),
        },
      ],
    },
    actions: {
      // A request runs in this action for as long as its client takes to send and to read; `admission.ts` bounds our work.
      // The request's own span tells more than one of the action.
      rest: {
        bulkhead: false,
        traced: false,
        /**
         * Answers a request by its alias. moleculer-web's own handler parses the URL anew, sets header fields, and goes through what our
         * one route leaves off (middlewares, CORS, lists, limits, merged params). Undefined: nothing was routed.
         */
        async handler(this: S, ctx: Context<{ req: IncomingMessage; res: ServerResponse }>) {
          const { req, res } = ctx.params;
          const found = this.matching(pathOf(req)).find(({ alias }) => alias.method === req.method);
          if (!found) return undefined;
          const { alias, params } = found;
          Object.assign(req, { $ctx: ctx, $params: { params }, $alias: alias, originalUrl: req.url });
          // A response that fails is one whose client has left; without a listener the process would end.
          res.on("error", () => {});
          await alias.handler.call(this, req, res);
          return true;
        },
      } as object,
      // Off: a public list of aliases, and routes that change while the gateway runs.
      listAliases: false,
      addRoute: false,
      removeRoute: false,
    },
    methods: {
      matching(this: S, path: string): readonly Match[] {
        if (this.matches.path !== path) {
          const found = this.aliases.map(alias => ({ alias, params: alias.match(path) }));
          this.matches = { path, found: found.filter((match): match is Match => match.params !== false) };
        }
        return this.matches.found;
      },
    },
    created(this: S) {
      // moleculer-web sets this when it is created, and calls it when services come or go. Its own lists the automatic
      // aliases anew, of which we have none, and tells every node.
      this.regenerateAllAutoAliases = () => this.servicesChanged?.();
      this.matches = { path: "", found: [] };
      // moleculer-web formats the alias in colours at each request, for a debug line, whatever the log level.
      for (const alias of this.aliases) alias.toString = () => alias.fullPath;
    },
  };
  // Moleculer's types do not let a mixin declare its own `this`.
  return schema as unknown as Partial<ServiceSchema>;
}

/** Methods of a path; an empty list when there is no such path. */
export function methodsOf(service: RouterService, path: string): readonly string[] {
  const methods = service.matching(path).map(({ alias }) => alias.method);
  return methods.includes("GET") ? [...methods, "HEAD"] : methods;
}

/**
 * Method and pattern of the route that the router will find for a request: `GET /api/v1/loans/:id`. The request is known
 * by this route from here on, also when the router never sees it.
 */
export function aliasOf(service: RouterService, req: IncomingMessage): string | undefined {
  const alias = service.matching(pathOf(req)).find(({ alias: { method } }) => method === req.method)?.alias;
  if (!alias) return undefined;
  (req as { $alias?: Alias }).$alias = alias;
  return `${alias.method} ${alias.fullPath}`;
}
/** The pattern of the path of a request, for whichever method; undefined when there is none, or the path is malformed. */
export const patternOf = (service: RouterService, req: IncomingMessage): string | undefined =>
  routeOf(req) ?? (isSafePath(pathOf(req)) ? service.matching(pathOf(req))[0]?.alias.fullPath : undefined);

/** Notes the route of a request that is answered before the router. */
export const noteRoute = (req: IncomingMessage, fullPath: string): void =>
  void Object.assign(req, { $alias: { fullPath } });

/** The pattern of the route that a request was routed to. */
export const routeOf = (req: IncomingMessage): string | undefined => (req as { $alias?: Alias }).$alias?.fullPath;
