// The form of an answer: the version of the route, the fields that the client asks for, and JSON, CSV or NDJSON. All that can be
// refused is refused before the action is called; a write is answered in JSON whatever `Accept` says, as RFC 9110, 12.5.1
// allows: a refusal would leave the client without the outcome.
import type { ServiceBroker } from "moleculer";
import type { TSchema } from "typebox";
import { stepFor, type Answer, type Exchange, type GatewayRequest, type Parts, type Step } from "../exchange.ts";
import { gatewayErrors } from "../errors.ts";
import { pathOf } from "../../http/siblings.ts";
import type { ActionTarget, Route } from "../route/route.ts";
import { preferred } from "./accept.ts";
import { allPages, NDJSON } from "./all-pages.ts";
import { CSV, csvOf, csvTypeOf, fileNameOf } from "./csv.ts";
import { fieldsOf, picked, propertiesOf, type FieldTree } from "./fields.ts";
import { linkHeader, pagesOf, selfOf } from "./links.ts";
import { inWordsOf } from "./words.ts";

const JSON_TYPE = "application/json";
const OF_ONE = [JSON_TYPE] as const;
const OF_LISTS = [JSON_TYPE, CSV] as const;
const OF_LINES = [NDJSON, JSON_TYPE] as const;

export const represent = ({ broker, downloads }: Parts): Step =>
  stepFor(isFormed, async (exchange, next) => {
    const { route, req, request } = exchange;
    const target = route.target as ActionTarget;
    const isRead = req.method === "GET";
    const type = isRead ? typeFor(req, target) : JSON_TYPE;
    const fields = request.fields === undefined ? undefined : fieldsOf(request.fields, dataSchema(broker, target));
    if (type === NDJSON) downloads.take(exchange.res);
    const answer = route.nameNew ? await next().catch((error: unknown) => refuse(error, exchange)) : await next();
    if (!answer || answer.status === 204) return answer;
    if (type === NDJSON) return { ...answer, ...allPages(exchange, target, answer.result) };
    if (!isRead && !target.representation) return answer;
    return formed(exchange, target, answer, { type, fields, broker });
  });

/** A read may be asked for in any form; a newer version has its own of everything. */
const isFormed = ({ method, target, nameNew }: Route): boolean =>
  method === "GET" || nameNew !== undefined || ("action" in target && target.representation !== undefined);

function typeFor({ headers }: GatewayRequest, { list, lines }: ActionTarget): string {
  const offered: readonly string[] = lines !== undefined ? OF_LINES : list === undefined ? OF_ONE : OF_LISTS;
  const type = preferred(headers.accept, offered);
  if (type === undefined) throw gatewayErrors.NOT_ACCEPTABLE({ types: offered.join(" or ") });
  return type;
}

interface Form {
  readonly type: string;
  readonly fields: FieldTree | undefined;
  readonly broker: ServiceBroker;
}

function formed(
  { route, req, request }: Exchange,
  target: ActionTarget,
  answer: Answer,
  { type, fields, broker }: Form,
): Answer {
  const { list, representation } = target;
  const pages = pagesOf(route, request, answer.result);
  const link = linkHeader(pages);
  const linked = link === undefined ? answer.headers : { ...answer.headers, Link: link };
  let { body } = answer;
  if (representation) body = representation.body(answer.result, placeOf(answer) ?? selfOf(route, request), pages);
  if (!fields && type === JSON_TYPE) return { ...answer, headers: linked, body };
  const key = representation ? "data" : list;
  if (fields)
    body =
      key === undefined ? picked(body, fields) : { ...(body as object), [key]: picked(fieldOf(body, key), fields) };
  if (type === JSON_TYPE) return { ...answer, headers: linked, body };
  const rows = fieldOf(body, key!) as Record<string, unknown>[];
  const text = csvOf(rows, dataSchema(broker, target), fields);
  const headers = {
    ...linked,
    "Content-Type": csvTypeOf(text),
    "Content-Disposition": `attachment; filename="${fileNameOf(pathOf(req))}"`,
  };
  return { ...answer, headers, body: text };
}

/** The URL of a resource that the request has made, or did not name. */
const placeOf = ({ headers }: Answer): string | undefined => headers["Location"] ?? headers["Content-Location"];

const fieldOf = (body: unknown, key: string): unknown => ((body ?? {}) as Record<string, unknown>)[key];

/**
 * The schema of the resource, or of a list's rows: the newer version's own, or the one of the action's answers, which the
 * registry has also for a service that runs elsewhere.
 */
function dataSchema(broker: ServiceBroker, { action, representation, list }: ActionTarget): TSchema | undefined {
  if (representation) return propertiesOf(representation.returns)?.["data"];
  const returns = returnsOf(broker, action);
  return list === undefined ? returns : returns && propertiesOf(returns)?.[list];
}

function returnsOf(broker: ServiceBroker, action: string): TSchema | undefined {
  const { actions } = broker.registry as unknown as { actions: { get(name: string): Endpoints | undefined } };
  return actions.get(action)?.endpoints[0]?.action.returns;
}

/** Moleculer's list of the nodes that have an action. */
interface Endpoints {
  readonly endpoints: readonly { readonly action: { readonly returns?: TSchema } }[];
}

function refuse(error: unknown, { route }: Exchange): never {
  throw inWordsOf(error, route.nameNew!);
}
