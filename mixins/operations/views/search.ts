// Finds anything by its id or the beginning of it: an operator who has an id from a mail, a log or a caller does not know what it
// is the id of. Every service is asked for its own, by indexes alone; only where nothing has such an id are the newest events
// searched for a request.
import { isAllowed, type ActionName } from "../../contract/index.ts";
import type { ActorLike } from "../../actor/siblings.ts";
import { servingNodes } from "../ask-nodes.ts";
import { ask, askEach, hasSagas, hostOf, servicesWith, text, type Answer } from "../asking.ts";
import { namesOf } from "../names.ts";
import type { Ctx } from "./context.ts";
import { carrying } from "./trace.ts";

const limits = {
  /** Hits of each kind and service, unless the operator says otherwise. */
  hits: 10,
} as const;

/** What an id, or a name, may be of. */
interface Hit extends Answer {
  readonly kind: string;
  readonly id: string;
  readonly title: string;
  readonly service?: string;
  /** Whether it is what was asked for, and not merely begins so. */
  readonly isExact: boolean;
  /** The operation that shows it, with its params. */
  readonly look?: { readonly action: ActionName; readonly params: Readonly<Record<string, unknown>> };
}
interface Found {
  readonly hits: readonly Hit[];
  readonly silent: readonly string[];
}
interface Asked {
  readonly ctx: Ctx<"search">;
  readonly q: string;
  readonly limit: number;
}

const ID = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;
const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;
const TRACE_ID = /^(?:[\da-f]{2}-)?([\da-f]{32})(?:-[\da-f]{16}-[\da-f]{2})?$/;

/** The most particular first. */
const SEARCHES = [traces, sagas, actors, people, ofServices, nodes, names];

export async function search(ctx: Ctx<"search">) {
  const { limit = limits.hits } = ctx.params;
  const typed = ctx.params.q.trim();
  // Ids of ours have no capitals, and are copied from where they are shown in any.
  const asked = { ctx, q: UUID.test(typed) ? typed.toLowerCase() : typed, limit };
  const found = await Promise.all(SEARCHES.map(search => search(asked)));
  const hits = found.flatMap(({ hits }) => hits);
  const requests = hits.length === 0 && UUID.test(typed) ? await ofRequest(asked) : { hits: [], silent: [] };
  const all = [...hits, ...requests.hits].sort((a, b) => Number(b.isExact) - Number(a.isExact));
  const silent = [...new Set([...found, requests].flatMap(one => one.silent))].sort();
  return { q: asked.q, hits: all, silent };
}

const NONE: Found = { hits: [], silent: [] };

async function traces({ q }: Asked): Promise<Found> {
  const id = TRACE_ID.exec(q)?.[1];
  if (id === undefined) return NONE;
  const look = { action: "ops.trace" as const, params: { id } };
  return { hits: [{ kind: "trace", id, title: `trace ${id}`, isExact: true, look }], silent: [] };
}

async function sagas({ ctx, q: prefix, limit }: Asked): Promise<Found> {
  if (!ID.test(prefix)) return NONE;
  const { answers, silent } = await askEach(servicesWith(ctx.broker, hasSagas), (service, options) =>
    ask<{ sagas: { id: string; state: string; reason: string | null }[] }>(
      ctx,
      service,
      "sagasLike",
      { prefix, limit },
      options,
    ),
  );
  const hits = answers.flatMap(({ service, answer }) =>
    answer.sagas.map(({ id, state, reason }) => ({
      kind: "saga",
      id,
      service,
      title: `${id}: ${state}${reason === null ? "" : ` (${reason})`}`,
      isExact: id === prefix || id.slice(id.indexOf(".") + 1) === prefix,
      look: { action: "ops.saga" as const, params: { id } },
    })),
  );
  return { hits, silent };
}

async function actors({ ctx, q, limit }: Asked): Promise<Found> {
  if (!ID.test(q)) return NONE;
  const types = namesOf(ctx.broker)["actor"] ?? [];
  const hosts = new Map(types.map(type => [hostOf(ctx.broker, type), type]));
  const { answers, silent } = await askEach([...hosts.keys()], async (service, options) => {
    const type = hosts.get(service)!;
    // `loan.42`, as the audit and the events have it, is the loan 42.
    const prefix = q.startsWith(`${type}.`) ? q.slice(type.length + 1) : q;
    if (!ID.test(prefix)) return [];
    const found = await ask<{ actors: ActorLike[] }>(ctx, service, "actorsLike", { prefix, limit }, options);
    return found.actors.map(({ id, version, isArchived }) => ({
      kind: "actor",
      id,
      service,
      title: `${type} ${id}, version ${version}${isArchived ? ", archived" : ""}`,
      isExact: id === prefix,
      look: { action: "ops.actor" as const, params: { type, id } },
    }));
  });
  return { hits: answers.flatMap(({ answer }) => answer), silent };
}

/** People are found by their address or their id, by those who may see addresses. */
async function people({ ctx, q }: Asked): Promise<Found> {
  const { broker, meta } = ctx;
  const isOfPerson = q.includes("@") || UUID.test(q);
  const mayLook = meta.user === undefined || isAllowed(meta.user, "accounts:read");
  if (!isOfPerson || !mayLook || !broker.registry.actions.get("accounts.list")) return NONE;
  type Person = { id: string; email: string };
  const { answers, silent } = await askEach(["accounts"], async (service, options) => {
    if (!q.includes("@")) return [await ask<Person>(ctx, service, "get", { id: q }, options).catch(() => undefined)];
    return (await ask<{ rows: Person[] }>(ctx, service, "list", { email: q }, options).catch(() => ({ rows: [] })))
      .rows;
  });
  const found = answers.flatMap(({ answer }) => answer).filter(person => person !== undefined);
  const hits = found.map(({ id, email }) => ({ kind: "person", id, title: email, service: "accounts", isExact: true }));
  return { hits, silent };
}

/** A service that announces `finds` in its metadata finds things of its own, such as books by their titles. */
async function ofServices({ ctx, q, limit }: Asked): Promise<Found> {
  const finding = servicesWith(ctx.broker, ({ finds }) => finds === true);
  const { answers, silent } = await askEach(finding, (service, options) =>
    ask<{ found: { kind: string; id: string; title: string }[] }>(ctx, service, "find", { q, limit }, options),
  );
  const hits = answers.flatMap(({ service, answer }) =>
    answer.found.map(({ kind, id, title }) => ({ kind, id, title, service, isExact: id === q })),
  );
  return { hits, silent };
}

async function nodes({ ctx, q }: Asked): Promise<Found> {
  const ids = servingNodes(ctx.broker).map(({ id }) => id);
  const look = { action: "ops.nodes" as const, params: {} };
  const hits = ids
    .filter(id => id.startsWith(q))
    .map(id => ({ kind: "node", id, title: `node ${id}`, isExact: id === q, look }));
  return { hits, silent: [] };
}

/** Projections and consumers by their names. */
async function names({ ctx, q }: Asked): Promise<Found> {
  const known = namesOf(ctx.broker);
  const hitsOf = (kind: string, names: readonly string[], action: ActionName): Hit[] =>
    names
      .filter(name => name.startsWith(q))
      .map(id => ({ kind, id, title: `${kind} ${id}`, isExact: id === q, look: { action, params: {} } }));
  const projections = known["ops.rebuild.name"] ?? [];
  // A build of a projection reads by a consumer of its name.
  const consumers = (known["consumer"] ?? []).filter(name => !projections.includes(name));
  const hits = [
    ...hitsOf("projection", projections, "ops.projections"),
    ...hitsOf("consumer", consumers, "ops.consumers"),
  ];
  return { hits, silent: [] };
}

/** The actors and sagas whose newest events name a request. */
async function ofRequest({ ctx, q }: Asked): Promise<Found> {
  const { events, sagas } = await carrying(ctx, q);
  const actors = events.answers.flatMap(({ service, answer }) =>
    answer.events.map(({ actor, stream }) => ({ type: text(actor), id: text(stream), service })),
  );
  const started = sagas.answers.flatMap(({ service, answer }) => answer.sagas.map(id => ({ id, service })));
  const distinct = [...new Map(actors.map(actor => [`${actor.type}.${actor.id}`, actor])).values()];
  const hits: Hit[] = [
    ...distinct.map(({ type, id, service }) => ({
      kind: "actor",
      id,
      service,
      title: `${type} ${id}, changed by request ${q}`,
      isExact: false,
      look: { action: "ops.actor" as const, params: { type, id } },
    })),
    ...started.map(({ id, service }) => ({
      kind: "saga",
      id,
      service,
      title: `${id}, of request ${q}`,
      isExact: false,
      look: { action: "ops.saga" as const, params: { id } },
    })),
  ];
  return { hits, silent: [...events.silent, ...sagas.silent] };
}
