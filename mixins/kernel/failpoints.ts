// Named instants in production code where a test can kill the process, throw or wait. Off, a failpoint is a call of an
// empty function. On, by FAILPOINTS in the environment:
//
//   FAILPOINTS="append:after-commit=kill@0.01;saga:before-step=throw;actor:before-reply=sleep(50)@0.2"
//
// `@p` is the probability of each pass, `#n` the number of the pass that fires (`append:after-commit=kill#120`).
//
// A floor or a service declares its own in a `failpoints.ts` beside the code that passes them. A start checks FAILPOINTS
// against all that are declared, and a test kills a process at each.
import { writeSync } from "node:fs";

/** Marks an instant. Does nothing unless FAILPOINTS names it. */
export interface Failpoint<N extends string = string> {
  (name: N): void;
  /** All that were declared together. */
  readonly names: readonly N[];
}

interface Action {
  readonly kind: "kill" | "throw" | "sleep";
  /** Milliseconds of a sleep. */
  readonly ms: number;
  readonly probability: number;
  readonly pass: number | undefined;
}

/** The form of FAILPOINTS, for messages and the page of the configuration. */
export const FAILPOINTS_FORM = "<failpoint>=kill|throw|sleep(<ms>), then @<probability> or #<pass>, semicolons between";

/** Declares failpoints, `<subject>:<instant>`. The function that it returns marks them: `failpoint("append:after-commit")`. */
export function defineFailpoints<const N extends string>(...names: N[]): Failpoint<N> {
  const text = process.env["FAILPOINTS"];
  return Object.assign(text ? armed(text) : () => {}, { names });
}

/** Whether an export of a module declares failpoints. */
export const isFailpoint = (value: unknown): value is Failpoint => typeof value === "function" && "names" in value;

/** Whether the text has the form of FAILPOINTS. */
export function areFailpoints(text: string): boolean {
  try {
    parseFailpoints(text);
    return true;
  } catch {
    return false;
  }
}

/** The failpoints that the text names. */
export const failpointsIn = (text: string): string[] => [...parseFailpoints(text).keys()];

function parseFailpoints(text: string): Map<string, Action> {
  const actions = new Map<string, Action>();
  for (const part of text
    .split(";")
    .map(item => item.trim())
    .filter(Boolean)) {
    const match = /^([\w:-]+)=(kill|throw|sleep)(?:\((\d+)\))?(?:@([\d.]+)|#(\d+))?$/.exec(part);
    if (!match) throw new Error(`FAILPOINTS: cannot read "${part}"`);
    actions.set(match[1]!, {
      kind: match[2] as Action["kind"],
      ms: Number(match[3] ?? 0),
      probability: Number(match[4] ?? 1),
      pass: match[5] === undefined ? undefined : Number(match[5]),
    });
  }
  return actions;
}

/** Reads the text at the first pass: thrown while a module loads, the message would come with a stack and no name. */
function armed(text: string): (name: string) => void {
  const passes = new Map<string, number>();
  let actions: Map<string, Action> | undefined;
  return name => {
    const action = (actions ??= parseFailpoints(text)).get(name);
    if (!action) return;
    const pass = (passes.get(name) ?? 0) + 1;
    passes.set(name, pass);
    if (action.pass === undefined ? Math.random() >= action.probability : pass !== action.pass) return;
    if (action.kind === "throw") throw new Error(`failpoint ${name}`);
    if (action.kind === "sleep") return void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, action.ms);
    try {
      writeSync(2, `failpoint ${name}: kill -9 at pass ${pass}\n`);
    } finally {
      // A full pipe refuses the line.
      process.kill(process.pid, "SIGKILL");
    }
  };
}
