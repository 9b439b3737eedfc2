// A saga is data: steps by action name, typed by the contracts. The pivot closes the road back: an `undo` of it, or after
// it, is for an operator alone, who takes back what can neither succeed nor go back by itself.
import type { ActionName, EventName, ParamsOf, Recorded, ResultOf } from "../contract/index.ts";

/** Whether two actions take the same params: neither lacks a field of the other, nor demands one that is optional there. */
type SameParams<A, B> = [A, keyof A] extends [B, keyof B] ? ([B, keyof B] extends [A, keyof A] ? true : false) : false;
/** The short form of an undo. (Checked per use: a search over all actions costs seconds of tsc.) */
type SameAs<A extends ActionName, U extends ActionName> = SameParams<ParamsOf<A>, ParamsOf<U>> extends true ? U : never;
export interface StepOptions {
  /** Milliseconds of trying until the step's technical failures compensate (before the pivot). Default 60 000. */
  readonly timeoutMs?: number;
}
type Scope<T extends EventName, D> = { readonly sagaId: string; readonly event: Recorded<T>; readonly done: D };
/** What an undo sees: `sent`, the params of the call that it undoes, and among `done` that call's result if it has answered. */
type UndoScope<T extends EventName, D, N extends string, A extends ActionName> = Scope<
  T,
  D & { readonly [X in N]?: ResultOf<A> }
> & { readonly sent: ParamsOf<A> };
export interface Failure {
  readonly type: string;
  readonly message: string;
  /** The step that failed. */
  readonly step: string;
}

/** Why the saga compensates, as `otherwise` is told. */
export interface Cause extends Failure {
  /** Every call of that step that was refused, with what it had sent: of an `each` there may be several. */
  readonly refused: readonly { readonly type: string; readonly message: string; readonly params: any }[];
}

export interface Step extends StepOptions {
  readonly name: string;
  readonly call: string;
  /** One call an item: items of the step, fixed by the scope. */
  readonly over?: (scope: any) => readonly any[];
  readonly params: (scope: any, item?: any) => any;
  /** Without `params` it takes those of the call that it undoes. */
  readonly undo?: { readonly call: string; readonly params?: (scope: any) => any };
  readonly pivot?: boolean;
}
export interface Saga {
  readonly name: string;
  readonly version: number;
  readonly startedBy: string;
  readonly steps: readonly Step[];
  readonly otherwise: { readonly call: string; readonly params: (scope: any, cause: Cause) => any };
}

type WithUndo<T extends EventName, D, N extends string, A extends ActionName, U extends ActionName> = StepOptions & {
  /**
   * What undoes the step, also when it has no answer; of nothing it does nothing. By name alone only an action that takes
   * the very params of the step; any other with its own: `["charges.refund", ({ sent, done }) => ({ … })]`.
   */
  undo?: (U & SameAs<A, U>) | readonly [call: U, params: (scope: UndoScope<T, D, N, A>) => ParamsOf<U>];
};
export interface Back<T extends EventName, D> extends Saga {
  step<N extends string, A extends ActionName, U extends ActionName = never>(
    name: N,
    call: A,
    params: (scope: Scope<T, D>) => ParamsOf<A>,
    options?: WithUndo<T, D, N, A, U>,
  ): Back<T, D & Record<N, ResultOf<A>>>;
  /** One call an item; a crash in the middle repeats none; one refused → the others are compensated. */
  each<N extends string, A extends ActionName, X, U extends ActionName = never>(
    name: N,
    over: (scope: Scope<T, D>) => readonly X[],
    call: A,
    params: (scope: Scope<T, D>, item: X) => ParamsOf<A>,
    options?: WithUndo<T, D, N, A, U>,
  ): Back<T, D & Record<N, ResultOf<A>[]>>;
  /** `undo`: how an operator takes back a saga that is stuck past it. Without one nobody can. */
  pivot<N extends string, A extends ActionName, U extends ActionName = never>(
    name: N,
    call: A,
    params: (scope: Scope<T, D>) => ParamsOf<A>,
    options?: WithUndo<T, D, N, A, U>,
  ): Forward<T, D & Record<N, ResultOf<A>>>;
}
export interface Forward<T extends EventName, D> extends Saga {
  /** `undo`: as of the pivot, also where the step was refused. A step that has none, and was done, cannot be taken back. */
  step<N extends string, A extends ActionName, U extends ActionName = never>(
    name: N,
    call: A,
    params: (scope: Scope<T, D>) => ParamsOf<A>,
    options?: WithUndo<T, D, N, A, U>,
  ): Forward<T, D & Record<N, ResultOf<A>>>;
  each<N extends string, A extends ActionName, X, U extends ActionName = never>(
    name: N,
    over: (scope: Scope<T, D>) => readonly X[],
    call: A,
    params: (scope: Scope<T, D>, item: X) => ParamsOf<A>,
    options?: WithUndo<T, D, N, A, U>,
  ): Forward<T, D & Record<N, ResultOf<A>[]>>;
}

/** Names are parts of command ids and stream names: no separators of ours. */
const NAME = /^[\w-]{1,40}$/;

/** An undo as the author writes it. */
type Undo = string | readonly [call: string, params: (scope: any) => any];
interface Options extends StepOptions {
  readonly undo?: Undo;
}
const stepOptions = ({ undo, ...rest }: Options = {}): Pick<Step, "undo" | "timeoutMs"> => ({
  ...rest,
  ...(undo && { undo: typeof undo === "string" ? { call: undo } : { call: undo[0], params: undo[1] } }),
});

/**
 * `otherwise` runs last when the saga compensates: it tells the initiator why. Throws when two steps share a name, on a
 * name that is not letters, digits, `-` and `_`, at most 40, and on a version that is no whole number from 1 on.
 *
 * Sagas that are under way go on by their journal when the definition changes: a step that is added is begun wherever the
 * saga has not passed its pivot, and a node that does not know a step of a journal leaves the saga to one that does.
 * Raise `version` (default 1) when a step is removed or renamed, or when no saga may go without a step that is added: a
 * saga is driven only by nodes with the version under which it began, or a later one.
 */
export function defineSaga<T extends EventName, A extends ActionName>(
  name: string,
  head: {
    startedBy: T;
    otherwise: [call: A, params: (scope: Scope<T, {}>, cause: Cause) => ParamsOf<A>];
    version?: number;
  },
): Back<T, {}> {
  const [call, params] = head.otherwise;
  if (!NAME.test(name)) throw new Error(`saga "${name}": letters, digits, - and _ only, at most 40`);
  const { version = 1 } = head;
  if (!Number.isSafeInteger(version) || version < 1)
    throw new Error(`saga ${name}: version ${version} is not 1, 2, 3, …`);
  const grow = (steps: readonly Step[]): any => {
    const names = ["otherwise", ...steps.map(step => step.name)];
    if (!NAME.test(names.at(-1)!))
      throw new Error(`saga ${name}: step "${names.at(-1)}": letters, digits, - and _ only`);
    if (new Set(names).size < names.length) throw new Error(`saga ${name}: two steps named "${names.at(-1)}"`);
    const add = (step: Step) => grow([...steps, step]);
    return {
      name,
      version,
      startedBy: head.startedBy,
      steps,
      otherwise: { call, params },
      step: (step: string, call: string, params: Step["params"], options?: Options) =>
        add({ name: step, call, params, ...stepOptions(options) }),
      each: (step: string, over: NonNullable<Step["over"]>, call: string, params: Step["params"], options?: Options) =>
        add({ name: step, over, call, params, ...stepOptions(options) }),
      pivot: (step: string, call: string, params: Step["params"], options?: Options) =>
        add({ name: step, call, params, pivot: true, ...stepOptions(options) }),
    };
  };
  return grow([]);
}
