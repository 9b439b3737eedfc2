// The HTTP routes of a table of operations, for administrators and those who look on.
import {
  omit,
  pick,
  type ActionName,
  type ParamsOf,
  type RefusalsOf,
  type ResultOf,
  type Role,
} from "../../contract/index.ts";
import { route, type Request, type Route, type TypedRoute } from "../../gateway/index.ts";
import { pathParamsOf, type Operation, type TypedOperation } from "./operation.ts";

/** The route of an operation, with its types. */
export type RouteOf<O> =
  O extends TypedOperation<{
    action: infer A extends ActionName;
    http: infer L extends string;
    rows: infer F extends string;
    event: infer E;
  }>
    ? TypedRoute<
        {
          line: L;
          path: Pick<ParamsOf<A>, PathParams<L> & keyof ParamsOf<A>>;
          query: L extends `GET ${string}` ? Omit<ParamsOf<A>, PathParams<L>> : {};
          body: L extends `GET ${string}` ? {} : Omit<ParamsOf<A>, PathParams<L>>;
          refusals: RefusalsOf<A>;
        } & ([E] extends [never] ? { answer: ResultOf<A>; rows: F } : { event: E })
      >
    : never;
type PathParams<L extends string> = L extends `${string}/:${infer Rest}`
  ? Rest extends `${infer Name}/${infer More}`
    ? Name | PathParams<`/${More}`>
    : Rest
  : never;

/** What only reads is open to those who look on, too. */
export const accessFor = ({ permission }: Pick<Operation, "permission">): readonly Role[] =>
  permission.endsWith(":read") ? ["admin", "viewer"] : ["admin"];

/** Params that the path names come from there, all others by query or, for what changes something, by body. */
export const routeOf = <O extends Operation>(operation: O): RouteOf<O> => untypedRouteOf(operation) as never;

function untypedRouteOf({
  action,
  permission,
  http,
  summary,
  priority,
  params,
  view,
  lines,
  hints,
  isForPersons,
  secret,
}: Operation): Route {
  const names = pathParamsOf(http);
  const others = omit(params, ...names);
  const place = http.startsWith("GET ") ? "query" : "body";
  const spec = {
    summary,
    access: accessFor({ permission }),
    ...(isForPersons && { keys: false }),
    ...(secret && { secret }),
    priority,
    ...("list" in view && { list: view.list }),
    ...(lines !== undefined && { lines }),
    ...(hints !== undefined && { hints }),
    ...(names.length > 0 && { path: pick(params, ...names) }),
    ...(Object.keys(others).length > 0 && { [place]: others }),
    params: (request: Request) => ({ ...(request[place] as object), ...(request.path as object) }),
  };
  // The table is typed by its contract; of one operation among others the types are not known.
  return route(http, action, spec as never);
}
