// The HTTP routes of a table of operations, for administrators and those who look on.
import { omit, pick, type Role } from "../../contract/index.ts";
import { route, type Request, type Route } from "../../gateway/index.ts";
import { pathParamsOf, type Operation } from "./operation.ts";

/** What only reads is open to those who look on, too. */
export const accessFor = ({ permission }: Pick<Operation, "permission">): readonly Role[] =>
  permission.endsWith(":read") ? ["admin", "viewer"] : ["admin"];

/** Params that the path names come from there, all others by query or, for what changes something, by body. */
export function routeOf({
  action,
  permission,
  http,
  summary,
  priority,
  params,
  view,
  lines,
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
    ...(names.length > 0 && { path: pick(params, ...names) }),
    ...(Object.keys(others).length > 0 && { [place]: others }),
    params: (request: Request) => ({ ...(request[place] as object), ...(request.path as object) }),
  };
  // The table is typed by its contract; of one operation among others the types are not known.
  return route(http, action, spec as never);
}
