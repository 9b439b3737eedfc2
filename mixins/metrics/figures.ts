// What a node tells operators of itself in a few numbers: see `node-figures.ts` of the broker.

/** Totals since the process began; the asker makes rates of them. */
export interface NodeCounts {
  /** Absent with METRICS=off. */
  readonly counts?: {
    readonly requests: number;
    /** Answers with a status of 500 and above. */
    readonly failures: number;
    /** Requests by the time that they took: `[0.005, 12]` took up to 5 ms, those below included. The last bound is Infinity (null). */
    readonly durations: readonly (readonly [seconds: number | null, requests: number])[];
    readonly commands: number;
    readonly events: number;
  };
}

export interface NodeFigures {
  readonly runtime: string;
  readonly nodejs: string;
  readonly startedAt: string;
  /** Milliseconds by which a timer was late at most, and the shares of a core. */
  readonly loopDelayMs: number;
  readonly loopBusyPercent: number;
  readonly cpuPercent: number;
  readonly rssBytes: number;
  readonly heapBytes: number;
  /** Actors in memory, by service. */
  readonly actors: Readonly<Record<string, number>>;
  readonly pools: readonly { service: string; used: number; max: number; waiting: number }[];
}
