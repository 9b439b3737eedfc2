// Named instants in production code where a test can kill the process, throw or wait. Off, a failpoint is a call of an
// empty function. On, by FAILPOINTS in the environment:
//
//   FAILPOINTS="append:after-commit=kill@0.01;saga:before-step=throw;relay:published=sleep(50)@0.2"
//
// `@p` is the probability of each pass, `#n` the number of the pass that fires (`append:after-commit=kill#120`).
import { writeSync } from "node:fs";

/** Every failpoint of the house. A test walks this list and kills at each. */
export const FAILPOINTS = [
  "append:before-commit",
  "append:after-commit",
  "actor:before-reply",
  "consumer:before-commit",
  "consumer:after-commit",
  "reactor:after-call",
  "saga:before-step",
  "saga:after-step",
  "saga:before-undo",
  "timer:before-fire",
  "timer:after-fire",
  "snapshot:before-save",
  "payments:after-request",
  "payments:after-provider",
  "reshard:marked",
  "reshard:copied",
  "reshard:sealed",
  "reshard:completed",
  "reshard:verified",
  "reshard:owned",
  "reshard:moved",
] as const;
export type Failpoint = (typeof FAILPOINTS)[number];

type Action = { kind: "kill" | "throw" | "sleep"; ms: number; probability: number; pass: number | undefined };

/** What the environment expects of FAILPOINTS. */
export const FAILPOINTS_FORM = "<failpoint>=kill|throw|sleep(<ms>), then @<probability> or #<pass>, semicolons between";

/** Whether the text arms failpoints: the start asks, before anything passes one. */
export function areFailpoints(text: string): boolean {
  try {
    parseFailpoints(text);
    return true;
  } catch {
    return false;
  }
}

export function parseFailpoints(text: string): Map<Failpoint, Action> {
  const actions = new Map<Failpoint, Action>();
  for (const part of text
    .split(";")
    .map(item => item.trim())
    .filter(Boolean)) {
    const match = /^([\w:-]+)=(kill|throw|sleep)(?:\((\d+)\))?(?:@([\d.]+)|#(\d+))?$/.exec(part);
    if (!match || !FAILPOINTS.includes(match[1] as Failpoint)) throw new Error(`FAILPOINTS: cannot read "${part}"`);
    actions.set(match[1] as Failpoint, {
      kind: match[2] as Action["kind"],
      ms: Number(match[3] ?? 0),
      probability: Number(match[4] ?? 1),
      pass: match[5] === undefined ? undefined : Number(match[5]),
    });
  }
  return actions;
}

/** Reads the text at the first pass: thrown while this file loads, the message would come with a stack and no name. */
function armed(text: string): (name: Failpoint) => void {
  const passes = new Map<Failpoint, number>();
  let actions: Map<Failpoint, Action> | undefined;
  return name => {
    const action = (actions ??= parseFailpoints(text)).get(name);
    if (!action) return;
    const pass = (passes.get(name) ?? 0) + 1;
    passes.set(name, pass);
    if (action.pass === undefined ? Math.random() >= action.probability : pass !== action.pass) return;
    if (action.kind === "throw") throw new Error(`failpoint ${name}`);
    if (action.kind === "sleep") return void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, action.ms);
    writeSync(2, `failpoint ${name}: kill -9 at pass ${pass}\n`);
    process.kill(process.pid, "SIGKILL");
  };
}

/** Marks an instant. Does nothing unless FAILPOINTS names it. */
export const failpoint: (name: Failpoint) => void = process.env["FAILPOINTS"]
  ? armed(process.env["FAILPOINTS"])
  : () => {};
