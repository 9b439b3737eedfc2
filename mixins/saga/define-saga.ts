// A saga is data: steps by action name, typed by the contracts. After the pivot a saga does not compensate by itself: an
// `undo` of the pivot, or of a later step, is for an operator, for a saga that cannot succeed either.
import type { ActionName, EventName, ParamsOf, Recorded, ResultOf } from "../contract/index.ts";

/** Whether two actions take the same params: neither lacks a field of the other, nor demands one that is optional there. */
type SameParams<A, B> = [A, keyof A] extends [B, keyof B] ? ([B, keyof B] extends [A, keyof A] ? true : false) : false;
/** The short form of an undo. Checked at each use: a search over all actions would cost seconds of tsc. */
type SameAs<A extends ActionName, U extends ActionName> = SameParams<ParamsOf<A>, ParamsOf<U>> extends true ? U : never;
export interface StepOptions {
  /** Milliseconds of trying until the step's technical failures compensate (before the pivot). Default 60 000. */
  readonly timeoutMs?: number;
}
type Scope<T extends EventName, D> = { readonly sagaId: string; readonly event: Recorded<T>; readonly done: D };
/** The argument of an undo's params: `sent`, the params of the call to undo, and in `done` its result if it has answered. */
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

/** Why the saga compensates, for `otherwise`. */
export interface Cause extends Failure {
  /** The refused calls of that step, with their params. An `each` may have several. */
  readonly refused: readonly { readonly type: string; readonly message: string; readonly params: any }[];
}

export interface Step extends StepOptions {
  readonly name: string;
  readonly call: string;
  /** The items of the step, one call each. Fixed by the scope. */
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
   * The action that undoes the step, also when the step has no answer: it must do nothing when there is nothing to undo. An
   * action that takes the same params as the step is given by name; any other with its params:
   * `["holds.release", ({ sent, done }) => ({ … })]`.
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
  /** One call an item. A crash in the middle repeats none of them; when one is refused, the others are compensated. */
  each<N extends string, A extends ActionName, X, U extends ActionName = never>(
    name: N,
    over: (scope: Scope<T, D>) => readonly X[],
    call: A,
    params: (scope: Scope<T, D>, item: X) => ParamsOf<A>,
    options?: WithUndo<T, D, N, A, U>,
  ): Back<T, D & Record<N, ResultOf<A>[]>>;
  /** `undo`: how an operator takes back a saga that is stuck past the pivot. Without one it cannot be taken back. */
  pivot<N extends string, A extends ActionName, U extends ActionName = never>(
    name: N,
    call: A,
    params: (scope: Scope<T, D>) => ParamsOf<A>,
    options?: WithUndo<T, D, N, A, U>,
  ): Forward<T, D & Record<N, ResultOf<A>>>;
}
export interface Forward<T extends EventName, D> extends Saga {
  /** `undo`: as the pivot's, also where the step was refused. A step that has none, and was done, cannot be taken back. */
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

/** Names are parts of command ids and stream names, and must not have their separators. */
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
 * `otherwise` runs last when the saga compensates, and tells its initiator why. Throws when two steps share a name, on a
 * name that is not letters, digits, `-` and `_`, at most 40, and on a version that is no whole number from 1 on.
 *
 * When the definition changes, sagas that are under way go on by their journal: an added step is begun wherever the saga has
 * not passed its pivot, and a node that does not know a step of a journal leaves the saga to one that does. Raise `version`
 * (default 1) when a step is removed or renamed, or when no saga may skip an added step: only nodes with the version under
 * which a saga began, or a later one, drive it.
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
