// The pure definition of an event-sourced actor: no broker, no clock, no I/O.
import { isPromise } from "../kernel/index.ts";
import type { AnyContract, Call, Data, DeepReadonly, Refuse } from "../contract/index.ts";

export type StateOf<K extends AnyContract> = DeepReadonly<Data<K["state"]>>;
export type EventOf<K extends AnyContract> = {
  [T in keyof K["events"] & string]: { readonly type: T; readonly data: Data<K["events"][T]> };
}[keyof K["events"] & string];
export type { RefusalOf } from "../contract/index.ts";
type Params<K extends AnyContract, C extends keyof K["commands"]> = DeepReadonly<Data<K["commands"][C]>>;

/** The third argument of `decide`: its only way to the clock, to new ids and to a refusal. */
export interface Decision<K extends AnyContract = any> {
  /** The actor's id. */
  readonly id: string;
  /** RFC 3339. */
  readonly now: string;
  newId(this: void): string;
  readonly refuse: Refuse<K>;
}

/** A durable timer of the actor: when it fires, `command` is sent to the actor. Setting a name again moves its timer. */
export type Timer<K extends AnyContract> =
  | {
      [C in keyof K["commands"] & string]: {
        readonly set: string;
        readonly afterMs: number;
        readonly command: C;
        readonly params: Data<K["commands"][C]>;
      };
    }[keyof K["commands"] & string]
  | { readonly cancel: string };

/** The result of a decision: events, possibly none; with timers in the longer form. */
export type Decided<K extends AnyContract> =
  readonly EventOf<K>[] | { readonly events: readonly EventOf<K>[]; readonly timers: readonly Timer<K>[] };

export type Prepare<K extends AnyContract, C extends keyof K["commands"]> = (
  ctx: PrepareContext,
  state: StateOf<K>,
  params: Params<K, C>,
) => Promise<unknown>;
/** The first argument of `prepare`: typed calls to other services, and the ids of the actor and of the command. */
export interface PrepareContext {
  readonly id: string;
  /** The same at every repetition of the command. */
  readonly commandId: string;
  readonly call: Call;
}

export interface Behaviour<K extends AnyContract> {
  initial(): StateOf<K>;
  /** (state, command, decision, the result of `prepare`) → events. Throws a refusal to say no. */
  readonly decide: {
    readonly [C in keyof K["commands"]]: (
      state: StateOf<K>,
      command: Params<K, C>,
      decision: Decision<K>,
      prepared: any,
    ) => Decided<K>;
  };
  /** (state, data) → state. A new object each time: states are frozen. */
  readonly evolve: {
    readonly [T in keyof K["events"]]: (state: StateOf<K>, data: DeepReadonly<Data<K["events"][T]>>) => StateOf<K>;
  };
  /** The fields of a command's answer besides `{ id, version }`; stored with the command. */
  readonly reply?: {
    readonly [C in keyof K["replies"]]: (
      state: StateOf<K>,
      events: readonly EventOf<K>[],
      id: string,
    ) => Data<K["replies"][C]>;
  };
  /** Runs before `decide`, and may call other services; its result is `decide`'s fourth argument. The mailbox waits meanwhile. */
  readonly prepare?: { readonly [C in keyof K["commands"]]?: Prepare<K, C> };
  /**
   * Commands that as a rule are an actor's first. When the actor is not in memory, such a command is decided on `initial()`
   * without a load, which saves a read of the store for each new actor. The append finds out whether there is a stream: then
   * it is loaded, and the command decided again or answered as the first time. For a repetition its `prepare` may run in
   * vain, so the calls in it must be reads, or carry ids that follow from the command's. Default: none.
   */
  readonly begins?: readonly (keyof K["commands"] & string)[];
  /** Old event data to today's, version by version: `{ "loan.made": { 1: data => … } }` lifts version 1 to 2. */
  readonly upcasters?: { readonly [T in keyof K["events"]]?: { readonly [version: number]: (data: any) => any } };
  /** Number of the state's shape. Raise it with every change of a fold: older snapshots are then ignored. Default 1. */
  readonly snapshotSchema?: number;
  /** Whether no more events are expected: then the stream may be archived. Default: never. */
  readonly finished?: (state: StateOf<K>) => boolean;
  /** Events between two snapshots. Default 100. */
  readonly snapshotEvery?: number;
}
export interface Actor<K extends AnyContract = any> extends Behaviour<K> {
  readonly contract: K;
}

/** In two calls, since inference in one call widens the literals that `evolve` returns ("placed" becomes string). */
export const defineActor =
  <K extends AnyContract>(contract: K) =>
  (behaviour: Behaviour<K>): Actor<K> => ({ contract, ...behaviour });

export type PlainEvent = { readonly type: string; readonly data: unknown };

/** The state before the first event. Throws when the definition gives none. */
export const initialOf = (actor: Actor): unknown => asState(actor.initial(), "initial()");

/** Folds events into a state. Throws when an event has no fold, or its fold gives no state. */
export function evolveAll<S>(actor: Actor, state: S, events: readonly PlainEvent[]): S {
  const { evolve, contract } = actor;
  let next = state;
  for (const { type, data } of events) {
    // Own ones only: "constructor" is no event because every object has one.
    if (!Object.hasOwn(evolve, type)) throw new Error(`${contract.service}: no fold for event "${type}"`);
    next = asState((evolve as Record<string, (state: S, data: unknown) => S>)[type]!(next, data), type);
  }
  return next;
}

function asState<S>(given: S, by: string): S {
  if (typeof given === "object" && given !== null && !isPromise(given)) return given;
  throw new TypeError(
    `${by} returned ${typeof given === "object" && given !== null ? "a promise" : String(given)} instead of a state`,
  );
}
