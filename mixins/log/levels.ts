// Which lines a broker logs, by module: a service's full name, or a part of Moleculer (`broker`, `transit`, `registry`). A level
// can be changed while the process runs, for a time if need be. A module has the level that was set for it, else that of
// all, else that of the start.
import { LEVELS, type Level } from "./log.ts";

export interface ModuleLevel {
  readonly module: string;
  readonly level: Level;
  /** RFC 3339: when it ends, and the module goes back; absent for good. */
  readonly until?: string;
}

export interface LevelChange {
  /** Default: all of them, those too that come later. Levels that were set for single ones end. */
  readonly module?: string | undefined;
  readonly level: Level;
  /** Milliseconds. Default: for good. */
  readonly forMs?: number | undefined;
}

interface Setting {
  readonly level: Level;
  readonly until?: string;
  readonly timer?: NodeJS.Timeout;
}

/** A module's level as the place in `LEVELS`: each line that is not written costs a comparison with it, no more. */
export interface Gate {
  rank: number;
}

export const RANKS = Object.fromEntries(LEVELS.map((level, rank) => [level, rank])) as Readonly<Record<Level, number>>;

const ALL = Symbol("all modules");

export class Levels {
  /** Those of the start. */
  readonly #initial = new Map<string, Level>();
  readonly #gates = new Map<string, Gate>();
  readonly #settings = new Map<string | typeof ALL, Setting>();

  /** Adds a module, which begins with this level. */
  add(module: string, level: Level): Gate {
    this.#initial.set(module, level);
    const gate = { rank: RANKS[this.#of(module).level] };
    this.#gates.set(module, gate);
    return gate;
  }

  list(): ModuleLevel[] {
    const modules = [...this.#gates.keys()].sort();
    return modules.map(module => {
      const { level, until } = this.#of(module);
      return { module, level, ...(until !== undefined && { until }) };
    });
  }

  /** Answers the names of the modules that the change is for: none when there is no such module. */
  set({ module, level, forMs }: LevelChange): string[] {
    if (module !== undefined && !this.#gates.has(module)) return [];
    const place = module ?? ALL;
    for (const set of place === ALL ? [...this.#settings.keys()] : [place]) this.#end(set);
    const until = forMs !== undefined && {
      until: new Date(Date.now() + forMs).toISOString(),
      timer: setTimeout(() => {
        this.#end(place);
        this.#apply();
      }, forMs).unref(),
    };
    this.#settings.set(place, { level, ...until });
    this.#apply();
    return module === undefined ? [...this.#gates.keys()].sort() : [module];
  }

  stop(): void {
    for (const { timer } of this.#settings.values()) clearTimeout(timer);
  }

  #of(module: string): Setting {
    return this.#settings.get(module) ?? this.#settings.get(ALL) ?? { level: this.#initial.get(module)! };
  }

  #apply(): void {
    for (const [module, gate] of this.#gates) gate.rank = RANKS[this.#of(module).level];
  }

  #end(place: string | typeof ALL): void {
    clearTimeout(this.#settings.get(place)?.timer);
    this.#settings.delete(place);
  }
}
