// A saga is data: steps by action name, typed by the contracts. The pivot closes the road back: no `undo` after it.
import type { ActionName, EventName, ParamsOf, Recorded, ResultOf } from "../contract/index.ts";

/** The compensation takes the params of what it undoes. (Checked per use: a search over all actions costs seconds of tsc.) */
type Undo<A extends ActionName, U extends ActionName> = ParamsOf<A> extends ParamsOf<U> ? U : never;
export interface StepOptions {
  /** Milliseconds until the step's technical failures compensate (before the pivot). Default 60 000. */
  readonly timeoutMs?: number;
}
type Scope<T extends EventName, D> = { readonly sagaId: string; readonly event: Recorded<T>; readonly done: D };
export interface Failure {
  readonly type: string;
  readonly message: string;
  /** The step that failed. */
  readonly step: string;
}

export interface Step extends StepOptions {
  readonly name: string;
  readonly call: string;
  /** One call an item: items of the step, fixed by the scope. */
  readonly over?: (scope: any) => readonly any[];
  readonly params: (scope: any, item?: any) => any;
  readonly undo?: string;
  readonly pivot?: boolean;
}
export interface Saga {
  readonly name: string;
  readonly startedBy: string;
  readonly steps: readonly Step[];
  readonly otherwise: { readonly call: string; readonly params: (scope: any, failure: Failure) => any };
}

type WithUndo<A extends ActionName, U extends ActionName> = { undo?: U & Undo<A, U> } & StepOptions;
export interface Back<T extends EventName, D> extends Saga {
  step<N extends string, A extends ActionName, U extends ActionName = never>(
    name: N,
    call: A,
    params: (scope: Scope<T, D>) => ParamsOf<A>,
    options?: WithUndo<A, U>,
  ): Back<T, D & Record<N, ResultOf<A>>>;
  /** One call an item; a crash in the middle repeats none; one refused → the others are compensated. */
  each<N extends string, A extends ActionName, X, U extends ActionName = never>(
    name: N,
    over: (scope: Scope<T, D>) => readonly X[],
    call: A,
    params: (scope: Scope<T, D>, item: X) => ParamsOf<A>,
    options?: WithUndo<A, U>,
  ): Back<T, D & Record<N, ResultOf<A>[]>>;
  pivot<N extends string, A extends ActionName>(
    name: N,
    call: A,
    params: (scope: Scope<T, D>) => ParamsOf<A>,
    options?: StepOptions,
  ): Forward<T, D & Record<N, ResultOf<A>>>;
}
export interface Forward<T extends EventName, D> extends Saga {
  step<N extends string, A extends ActionName>(
    name: N,
    call: A,
    params: (scope: Scope<T, D>) => ParamsOf<A>,
    options?: StepOptions,
  ): Forward<T, D & Record<N, ResultOf<A>>>;
  each<N extends string, A extends ActionName, X>(
    name: N,
    over: (scope: Scope<T, D>) => readonly X[],
    call: A,
    params: (scope: Scope<T, D>, item: X) => ParamsOf<A>,
    options?: StepOptions,
  ): Forward<T, D & Record<N, ResultOf<A>[]>>;
}

/** Names are parts of command ids and stream names: no separators of ours. */
const NAME = /^[\w-]{1,40}$/;

/**
 * `otherwise` runs last when the saga compensates: it tells the initiator why. Throws when two steps share a name, and
 * on a name that is not letters, digits, `-` and `_`, at most 40.
 */
export function defineSaga<T extends EventName, A extends ActionName>(
  name: string,
  head: { startedBy: T; otherwise: [call: A, params: (scope: Scope<T, {}>, failure: Failure) => ParamsOf<A>] },
): Back<T, {}> {
  const [call, params] = head.otherwise;
  if (!NAME.test(name)) throw new Error(`saga "${name}": letters, digits, - and _ only, at most 40`);
  const grow = (steps: readonly Step[]): any => {
    const names = ["otherwise", ...steps.map(step => step.name)];
    if (!NAME.test(names.at(-1)!))
      throw new Error(`saga ${name}: step "${names.at(-1)}": letters, digits, - and _ only`);
    if (new Set(names).size < names.length) throw new Error(`saga ${name}: two steps named "${names.at(-1)}"`);
    const add = (step: Step) => grow([...steps, step]);
    return {
      name,
      startedBy: head.startedBy,
      steps,
      otherwise: { call, params },
      step: (step: string, call: string, params: Step["params"], options?: object) =>
        add({ name: step, call, params, ...options }),
      each: (step: string, over: NonNullable<Step["over"]>, call: string, params: Step["params"], options?: object) =>
        add({ name: step, over, call, params, ...options }),
      pivot: (step: string, call: string, params: Step["params"], options?: object) =>
        add({ name: step, call, params, pivot: true, ...options }),
    };
  };
  return grow([]);
}
