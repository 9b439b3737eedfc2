// Operations over all services: finds by the registry's metadata the services that have sagas, actors, projections, consumers
// and dead letters, and asks them. The operator travels in `meta`, so that each service checks the permission again.
import type { Context as MoleculerContext, ServiceBroker } from "moleculer";
import {
  callErrors,
  isAllowed,
  listedServices,
  withoutSecrets,
  type Context,
  type ListedService,
} from "../contract/index.ts";
import { isRefusal, PersonalFields, type Refusal } from "../kernel/index.ts";
import { sagaErrors } from "../saga/index.ts";
import { askNodes, lostServices } from "./ask-nodes.ts";
import { operationErrors } from "./errors.ts";

export type Answer = Record<string, unknown>;
export type Metadata = NonNullable<ListedService["metadata"]>;

export const limits = {
  /** Default number of entries in a list. */
  page: 100,
  /** Events that `actor` shows. */
  events: 100,
  /** Milliseconds that a node has to tell what it alone knows. */
  nodeMs: 1_000,
} as const;

/** A service that is known by its metadata only has actions that no contract lists. */
export const ask = <R = Answer>(
  ctx: Context,
  service: string,
  action: string,
  params: object = {},
  options: object = {},
): Promise<R> => (ctx as unknown as MoleculerContext).call<R, object>(`${service}.${action}`, params, options);

/**
 * Full names (`v2.loans`) of the services with such metadata, each once, however many nodes run it. Those of nodes that were lost are
 * among them: asked, they do not answer, and so are named as silent, where a list without their entries would look whole.
 */
export function servicesWith(broker: ServiceBroker, test: (metadata: Metadata) => boolean): string[] {
  const services = listedServices(broker, { onlyAvailable: true, skipInternal: true });
  const all = [...services, ...lostServices(broker)].filter(({ metadata }) => test(metadata ?? {}));
  return [...new Set(all.map(({ fullName, name }) => fullName ?? name))].sort();
}

export const hasActor = ({ actor }: Metadata): boolean => actor !== undefined;
export const hasSagas = ({ sagas }: Metadata): boolean => sagas !== undefined;
export const hasConsumers = ({ consumers }: Metadata): boolean => consumers !== undefined;
export const hasPublicEvents = ({ publicEvents }: Metadata): boolean => publicEvents !== undefined;
export const hasIngresses = ({ ingresses }: Metadata): boolean => ingresses !== undefined;
export const hasProjections = ({ projections }: Metadata): boolean => projections !== undefined;

type Listed = Answer & { readonly service: string };

/** The list of one service, every entry marked with its service. It has as long as an operator would wait for it. */
export async function listFrom(
  ctx: Context,
  service: string,
  action: string,
  key: string,
  params: object = {},
): Promise<Listed[]> {
  const answer = await ask<Record<string, Answer[]>>(ctx, service, action, params, { timeout: SERVICE_MS });
  return (answer[key] ?? []).map((entry): Listed => ({ ...entry, service }));
}

/** The lists of all these services. One that does not answer is `silent`: the others are shown. */
export async function gather(
  ctx: Context,
  services: readonly string[],
  action: string,
  key: string,
  params: object = {},
): Promise<{ all: Listed[]; silent: string[] }> {
  const { answers, silent } = await askEach(services, service => listFrom(ctx, service, action, key, params));
  return { all: answers.flatMap(({ answer }) => answer), silent };
}

/** The same for what is to be changed: where one service does not answer, nobody knows whether it is the one that is meant. */
export async function gatherAll(
  ctx: Context,
  services: readonly string[],
  action: string,
  key: string,
): Promise<Listed[]> {
  return (await Promise.all(services.map(service => listFrom(ctx, service, action, key)))).flat();
}

/** Each node knows its own circuits. One that does not answer may be the one that a circuit is open for. */
export async function askCircuits(ctx: Context): Promise<{ circuits: Answer[]; silent: readonly string[] }> {
  const { answers, silent } = await askNodes<{ circuits: Answer[] }>(ctx, "$circuits.list", {
    timeoutMs: limits.nodeMs,
  });
  return {
    circuits: answers.flatMap(({ node, answer }) =>
      answer.circuits.map((circuit): Answer => ({ from: node, ...circuit })),
    ),
    silent,
  };
}

/** The permission to read accounts is also the one to see personal fields. */
const SEES_PERSONS = "accounts:read";

/** Fields that an operator does not see. */
export interface Hidden {
  /** Names of the fields that any contract marks as secret. */
  readonly secrets: ReadonlySet<string>;
  /** The fields that any contract marks as personal; undefined for an operator who may see them. */
  readonly personal: PersonalFields | undefined;
}

export function hiddenFrom({ broker, meta: { user } }: Context): Hidden {
  const secrets = new Set<string>();
  const personal = new PersonalFields();
  for (const { metadata } of listedServices(broker, { skipInternal: true })) {
    for (const name of metadata?.secrets ?? []) secrets.add(name);
    personal.add(metadata?.personal ?? []);
  }
  // A call of a service is on nobody's behalf, and not restricted.
  return { secrets, personal: !user || isAllowed(user, SEES_PERSONS) ? undefined : personal };
}

/** The value with `…` for what the operator does not see. */
export function shown<T>(ctx: Context, value: T): T {
  const { secrets, personal } = hiddenFrom(ctx);
  return withoutSecrets(value, secrets, personal) as T;
}

/** Asks the services with sagas one after another until one knows the id. */
export async function askOwner(ctx: Context, action: string, params: { id: string }): Promise<Answer> {
  let silent: unknown;
  for (const service of servicesWith(ctx.broker, hasSagas))
    try {
      return shown(ctx, { ...(await ask(ctx, service, action, params)), service });
    } catch (error) {
      // One that does not answer may have it; but then no other does. Moleculer's own 404 (the service has gone) is no answer.
      if (isRefusal(error) && !error.type.endsWith("_NOT_FOUND")) throw error;
      if (!isRefusal(error)) silent ??= error;
    }
  if (silent !== undefined) throw silent;
  throw sagaErrors.SAGA_NOT_FOUND({ id: params.id });
}

export function hostOf(broker: ServiceBroker, type: string): string {
  const [service] = servicesWith(broker, metadata => metadata.actor === type);
  if (!service) throw operationErrors.ACTOR_TYPE_NOT_FOUND({ field: "type", type });
  return service;
}

export const MINUTE_MS = 60_000;
export const invalid = (field: string, message: string): Refusal => callErrors.VALIDATION_ERROR({ field, message });

/** Refuses (422, field `after`) a request that names its page in two ways at once. */
export function oneOfAfterAndCursor({ after, cursor }: { after?: string; cursor?: string }): void {
  if (after !== undefined && cursor !== undefined) throw invalid("after", "is given beside cursor: send one");
}

export const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
export const text = (value: unknown): string => (typeof value === "string" ? value : "");
/** A part of a key: the text or the number in a field. */
export const by =
  (field: string) =>
  ({ [field]: value }: Answer): string =>
    typeof value === "number" ? `${value}` : text(value);

/** A text that sorts larger numbers first. */
export const descending = (n: number): string => String(Math.max(0, MOST - Math.round(n))).padStart(16, "0");
const MOST = Number.MAX_SAFE_INTEGER;

/** Milliseconds that a service has, where an operator would rather see the others than wait. */
export const SERVICE_MS = 3_000;

/** Asks services side by side. One that does not answer in time, or not at all, is `silent`; a refusal is one of the whole. */
export async function askEach<R>(
  services: readonly string[],
  ask: (service: string, options: { timeout: number }) => Promise<R>,
): Promise<{ answers: { service: string; answer: R }[]; silent: string[] }> {
  const silent: string[] = [];
  const asked = services.map(async service => {
    try {
      return [{ service, answer: await ask(service, { timeout: SERVICE_MS }) }];
    } catch (error) {
      if (isRefusal(error)) throw error;
      silent.push(service);
      return [];
    }
  });
  return { answers: (await Promise.all(asked)).flat(), silent: silent.sort() };
}

/** Names of the services that are meant: all that fit, or the one that an operator names. Refuses (422) another one. */
export function meant(services: readonly string[], only: string | undefined, have: string): readonly string[] {
  if (only === undefined) return services;
  if (!services.includes(only)) throw invalid("service", `no service of this name has ${have}`);
  return [only];
}
