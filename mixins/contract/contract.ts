// A contract: all that a service promises to the others, in one value. Types, validation, OpenAPI, the event catalogue and the
// check of snapshots follow from it. Other services use it by name (`ctx.call("loyalty.redeem", …)`) or `import type`.
import Type, { type Static, type TObject, type TProperties, type TSchema } from "typebox";
import { assertSchemas } from "./contract-schemas.ts";
import type { Permission } from "./permissions.ts";
import type { AnyErrors } from "../kernel/index.ts";
import { catalogueOf, type CatalogueOf, type ListedRefusals } from "./refusals.ts";

declare global {
  /** Every service by name; each contract.ts adds its line. */
  interface Contracts {}
}

export type Data<P extends TProperties> = Static<TObject<P>>;
export type DeepReadonly<T> = T extends (infer X)[]
  ? readonly DeepReadonly<X>[]
  : T extends object
    ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
    : T;

type Shapes = Record<string, TProperties>;
export type ActionShape = { readonly params: TProperties; readonly returns: TSchema };

/**
 * A service's contract.
 *
 * - `service`: plural, prefixes the actions (`rewards.reserve`). `actor`: singular, prefixes the streams; default: the service.
 * - `state`, `commands`, `events`, `replies`: an event-sourced actor. `replies` are the fields that a command's answer
 * has
 *   besides `{ id, version }`.
 * - `versions`: current schema version of an event, default 1; upcasters bring older ones up to it.
 * - `actions`: everything else that the service answers.
 * - `refusals`: the errors that it gives: a catalogue (`defineErrors`), or their codes alone. A code alone that ends in
 *   `_NOT_FOUND` is a 404 over HTTP, any other a 409.
 * - `mayRefuse`: which of them a command or action may give, for the API's description. Default: any.
 * - `permissions`: what a person needs to use a command or action; `false`: no person may, it is for services. Without one
 *   every person may.
 * - `callers`: in a cluster with keys, what other services may use on nobody's behalf, by service: of all that has a permission
 *   or `false` that and no more, also of the actions that an actor has from the runtime. Without it any service may use what is
 *   `false`, and none what asks people for a permission.
 */
export interface Contract<
  N extends string = string,
  S extends TProperties = TProperties,
  C extends Shapes = Shapes,
  E extends Shapes = Shapes,
  A extends Record<string, ActionShape> = Record<string, ActionShape>,
  R extends AnyErrors = AnyErrors,
  P extends Shapes = Shapes,
  M extends Refusing<C, A, R> = Refusing<C, A, R>,
> {
  readonly service: N;
  readonly actor: string;
  readonly state: S;
  readonly commands: C;
  readonly replies: P;
  readonly events: E;
  readonly versions: { readonly [T in keyof E]?: number };
  readonly actions: A;
  readonly refusals: R;
  readonly mayRefuse: M;
  readonly permissions: { readonly [X in keyof C | keyof A]?: Permission | false };
  readonly callers?: { readonly [service: string]: readonly (keyof C | keyof A | RecordAction)[] };
  /** The only way to write an event: an argument is checked for unknown fields, a returned literal is not. */
  event<T extends keyof E & string>(
    this: void,
    type: T,
    data: Data<E[T]>,
  ): { readonly type: T; readonly data: Data<E[T]> };
}
/** Codes of refusals by command or action. */
type Refusing<C, A, R> = { readonly [X in keyof C | keyof A]?: readonly (keyof R & string)[] };
/** Actions of an actor's record, which the runtime adds to a service that hosts actors. */
export type RecordAction = "get" | "history" | "stateAt" | "abandon" | "readLog";
export type AnyContract = Contract<string, any, any, any, any, any, any, any>;

/**
 * A service's contract, whole. Throws Misconfigured, naming service, action and field (`loyalty.open: params.since: …`), for
 * a schema that is wrong.
 */
export function defineContract<
  const N extends string,
  S extends TProperties = {},
  C extends Shapes = {},
  E extends Shapes = {},
  A extends Record<string, ActionShape> = {},
  const R extends ListedRefusals = {},
  P extends { [X in keyof C]?: TProperties } = {},
  const M extends Refusing<NoInfer<C>, NoInfer<A>, NoInfer<CatalogueOf<R>>> = {},
>(contract: {
  service: N;
  actor?: string;
  state?: S;
  commands?: C;
  replies?: P;
  events?: E;
  versions?: { readonly [T in keyof E]?: number };
  actions?: A;
  refusals?: R;
  mayRefuse?: M & { readonly [X in Exclude<keyof M, NoInfer<keyof C | keyof A>>]: never };
  // No inference from here: permissions of actions alone would make up commands for every string.
  permissions?: { readonly [X in NoInfer<keyof C | keyof A>]?: Permission | false };
  callers?: { readonly [service: string]: readonly (NoInfer<keyof C | keyof A> | RecordAction)[] };
}): Contract<N, S, C, E, A, CatalogueOf<R>, { [X in keyof P]: P[X] extends TProperties ? P[X] : {} }, M> {
  const whole = {
    actor: contract.service,
    state: {} as S,
    commands: {} as C,
    replies: {} as never,
    events: {} as E,
    versions: {},
    actions: {} as A,
    mayRefuse: {},
    permissions: {},
    ...(contract as object),
    refusals: catalogueOf(contract.refusals ?? []),
    event: (type: string, data: unknown) => ({ type, data }),
  };
  assertSchemas(whole as unknown as AnyContract);
  defined.set(contract.service, whole as unknown as AnyContract);
  return whole as never;
}

const defined = new Map<string, AnyContract>();
/** The contract of a service, if its module is loaded. For tests: in production services know each other by type only. */
export const contractOf = (service: string): AnyContract | undefined => defined.get(service);

/** An object that refuses unknown keys. */
export const strictObject = <P extends TProperties>(properties: P): TObject<P> =>
  Type.Object(properties, { additionalProperties: false });

/** Id of an actor: a UUID, a code, a slug. Its characters exclude paths, the runtime's separators and SQL. */
export const ActorId = Type.String({ minLength: 1, maxLength: 64, pattern: "^[A-Za-z0-9][A-Za-z0-9_.-]*$" });

/** Id of an actor that as a rule is a UUID: one in capitals is the same actor. */
export const EntityId = Type.String({
  minLength: 1,
  maxLength: 64,
  pattern: "^[A-Za-z0-9][A-Za-z0-9_.-]*$",
  format: "entity-id",
});

/**
 * A read-your-writes token: an actor's id and the version that a command answered, and the actor's name where a read model
 * has several.
 */
export const ReadToken = Type.String({
  maxLength: 160,
  pattern: "^([A-Za-z][A-Za-z0-9_-]{0,63}:)?[A-Za-z0-9][A-Za-z0-9_.-]{0,63}@[1-9][0-9]{0,14}$",
  format: "entity-id",
  examples: ["0190a0a0-0000-7000-8000-000000000000@3"],
  description:
    "`<id>@<version>` of a write, or `<actor>:<id>@<version>`: the answer holds it, or is a 503 that says to try again.",
});

// ---- types of all contracts, by name

/** An event as it was recorded. `stream` is the actor's id; (actor, stream, version) is the event's identity. */
export interface Recorded<T extends EventName = EventName> {
  readonly eventId: string;
  readonly type: T;
  readonly actor: string;
  readonly stream: string;
  readonly version: number;
  /** RFC 3339, the database's clock. */
  readonly at: string;
  readonly data: DeepReadonly<EventData<T>>;
  readonly metadata: EventMetadata;
}
/** The user, request and command that caused an event, and the way that it came. */
export interface EventMetadata {
  readonly user?: string;
  /** Id of the API key with which the user came in. */
  readonly key?: string;
  /** The service that called, on the user's behalf if there is one. */
  readonly caller?: string;
  /** The node that decided. */
  readonly node?: string;
  readonly requestId?: string;
  readonly commandId?: string;
  /** The span in which its command was sent, as W3C's `traceparent`; where traces are sent. */
  readonly traceparent?: string;
  /** Notes of other systems about its trace, as W3C's `tracestate`: 512 bytes at most. */
  readonly tracestate?: string;
}

export type Reply = { id: string; version: number };
export type Snapshot<S> = { id: string; version: number; state: S };
/** One entry of an actor's history. */
export type HistoryEntry = {
  type: string;
  version: number;
  at: string;
  data: Record<string, unknown>;
  metadata: EventMetadata;
};
/** The answer of `whatIf`: where today's code would fold or decide otherwise than the record says. */
export type WhatIf = {
  id: string;
  version: number;
  differences: { version: number; expected: unknown; actual: unknown }[];
};

type ActorSignatures<S> = {
  get: { params: { id: string; consistent?: boolean }; result: Snapshot<S> };
  history: { params: { id: string; from?: number; limit?: number }; result: { id: string; events: HistoryEntry[] } };
  stateAt: { params: { id: string; version: number }; result: Snapshot<S> };
  whatIf: { params: { id: string }; result: WhatIf };
  abandon: { params: { id: string; commandId: string }; result: { executed: boolean; answer?: unknown } };
};
type Signatures<K> =
  K extends Contract<string, infer S, infer C, any, infer A, any, infer P, any>
    ? {
        [X in keyof C & string]: {
          params: { id: string } & Data<C[X]>;
          result: Reply & (X extends keyof P ? (P[X] extends TProperties ? Data<P[X]> : {}) : {});
        };
      } & {
        [X in keyof A & string]: { params: Data<A[X]["params"]>; result: Static<A[X]["returns"]> };
      } & (keyof C extends never ? {} : ActorSignatures<Data<S>>)
    : never;
type Service = keyof Contracts;
export type ActionName = { [S in Service]: `${S}.${keyof Signatures<Contracts[S]> & string}` }[Service];
type Signature<A extends ActionName> = A extends `${infer S extends Service}.${infer X}`
  ? X extends keyof Signatures<Contracts[S]>
    ? Signatures<Contracts[S]>[X] extends infer G extends { params: object; result: unknown }
      ? G
      : never
    : never
  : never;
/** All actions by name. Indexed access, not a conditional type, which would widen literals ("card" becomes string). */
export type Actions = { [A in ActionName]: Signature<A> };
/** Codes with which an action may refuse, by `mayRefuse` of its contract. */
export type RefusalsOf<A extends ActionName> = A extends `${infer S extends Service}.${infer X}`
  ? Contracts[S] extends { readonly mayRefuse: infer M; readonly refusals: infer R }
    ? X extends keyof M
      ? M[X] extends readonly (infer C)[]
        ? C & string
        : keyof R & string
      : keyof R & string
    : never
  : never;
export type ParamsOf<A extends ActionName> = Actions[A]["params"];
export type ResultOf<A extends ActionName> = Actions[A]["result"];

type EventsIn<K> = K extends Contract<string, any, any, infer E, any, any, any, any> ? E : never;
export type EventName = { [S in Service]: keyof EventsIn<Contracts[S]> & string }[Service];
export type EventData<T extends EventName> = {
  [S in Service]: T extends keyof EventsIn<Contracts[S]>
    ? EventsIn<Contracts[S]>[T] extends infer P extends TProperties
      ? Data<P>
      : never
    : never;
}[Service];
