// What a process depends on: each floor says how its databases, connections and readers are asked, and operations ask all
// of them at once. Nothing is asked until an operator wants to know.
import { setTimeout as sleep } from "node:timers/promises";
import { withoutSecrets } from "./secrets.ts";

/** `warn`: look at it before it grows. `FAIL`: it does not work, or will not soon. */
export type Condition = "ok" | "warn" | "FAIL";

export interface DependencyState {
  readonly status: Condition;
  /** What was found, with its number. */
  readonly message: string;
  /** What to do; where the status is not `ok`. */
  readonly advice?: string;
  /** The numbers for programs, the unit at the end of the name. */
  readonly figures?: Readonly<Record<string, number | null>>;
}

export interface Dependency {
  /** `bus`, `database`, `redis`, `carrier`, `consumer`, `disk`, … */
  readonly kind: string;
  /** Which one of its kind: the service, or the place without secrets. */
  readonly name: string;
  /** Asks it now. An error is a `FAIL`; so is no answer within the asker's limit. */
  ask(): Promise<DependencyState>;
}

export interface DependencyReport extends DependencyState {
  readonly kind: string;
  readonly name: string;
}

const known = new WeakMap<object, Map<string, Dependency>>();

/** The broker's process depends on this. The later one of a kind and name counts. Returns the undo. */
export function dependsOn(broker: object, dependency: Dependency): () => void {
  const all = known.get(broker) ?? new Map<string, Dependency>();
  known.set(broker, all);
  const key = `${dependency.kind} ${dependency.name}`;
  all.set(key, dependency);
  return () => {
    if (all.get(key) === dependency) all.delete(key);
  };
}

/** Asks everything that the process depends on, together, each for `withinMs` milliseconds at most. */
export async function dependencyReports(broker: object, withinMs: number): Promise<DependencyReport[]> {
  const reports = await Promise.all(
    [...(known.get(broker)?.values() ?? [])].map(dependency => reportOf(dependency, withinMs)),
  );
  return reports.toSorted((a, b) => a.kind.localeCompare(b.kind) || a.name.localeCompare(b.name));
}

async function reportOf(dependency: Dependency, withinMs: number): Promise<DependencyReport> {
  const { kind, name } = dependency;
  const over = new AbortController();
  const late = sleep(withinMs, undefined, { signal: over.signal }).then(
    () => failed(`no answer within ${withinMs} ms`),
    () => failed("not asked to the end"),
  );
  try {
    // An `ask` that throws at once rejects as well.
    const asked = Promise.resolve().then(() => dependency.ask());
    asked.catch(() => {}); // it may fail after its time
    return { kind, name, ...(await Promise.race([asked, late])) };
  } catch (error) {
    return { kind, name, ...failed(reasonOf(error)) };
  } finally {
    over.abort();
  }
}

/** A connection refused on every address of a host is an error without a message; the errors inside have messages. */
function reasonOf(error: unknown): string {
  const { message, code, errors } = error as Error & { code?: string; errors?: Error[] };
  return withoutSecrets((message || errors?.[0]?.message || code || String(error)).replaceAll(/\s+/g, " "));
}

const failed = (message: string): DependencyState => ({
  status: "FAIL",
  message,
  advice: "is it running, and can this machine reach it?",
});
