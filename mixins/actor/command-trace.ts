// The spans of one command on its way through an activation: it waits, is prepared, is decided, and commits. They are parts
// of the span in which the command was sent to the host, and one at most is open.
//
// The way goes through callbacks of the mailbox and of the store, which run in whatever context they were called: each
// span has its parent by name, never by the context.
import { ATTRIBUTES, SPANS, tracing, type Attributes, type Span, type Tracing } from "../tracing/index.ts";
import type { Verdict } from "../event-store/index.ts";

/** Traces the commands of one actor; undefined where nothing is traced. */
export function commandTracing(): ((stream: string, kind: string) => CommandTrace | undefined) | undefined {
  const active = tracing();
  if (!active) return undefined;
  return (stream, kind) => {
    const caller = active.current();
    return caller && new CommandTrace(active, caller, stream, kind);
  };
}

export class CommandTrace {
  /** The span in which the command was sent. Its events carry its `traceparent`. */
  readonly caller: Span;
  readonly #tracing: Tracing;
  readonly #attributes: Attributes;
  #open: Span | undefined;

  constructor(active: Tracing, caller: Span, stream: string, kind: string) {
    this.#tracing = active;
    this.caller = caller;
    this.#attributes = { [ATTRIBUTES.stream]: stream, [ATTRIBUTES.command]: kind };
  }

  /** It waits in the mailbox, until the next step. */
  waits(): void {
    this.#begin(SPANS.wait);
  }

  prepares<T>(work: () => Promise<T>): Promise<T> {
    this.end();
    const start = { name: SPANS.prepare, parent: this.caller, attributes: this.#attributes };
    return this.#tracing.within(start, work);
  }

  /**
   * The work is a pure function: none of it asks for the current span, so it is not made the current one. The step ends where
   * the commit begins.
   */
  decides<T>(work: () => T): T {
    this.#begin(SPANS.decide);
    try {
      return work();
    } catch (error) {
      this.end(error);
      throw error;
    }
  }

  /** It waits for the store's verdict. Answers the span, for the batch that commits it. */
  commits(): Span {
    return this.#begin(SPANS.commit);
  }

  concludes(version: number, verdict: Verdict): void {
    this.#open?.set({ [ATTRIBUTES.version]: version, [ATTRIBUTES.verdict]: verdict.kind });
    this.end(verdict.kind === "failed" ? verdict.error : undefined);
  }

  /** Ends the step that it is in. */
  end(error?: unknown): void {
    this.#open?.end(error);
    this.#open = undefined;
  }

  /** A step begins where the one before ends. */
  #begin(name: string): Span {
    const at = performance.now();
    this.#open?.end(undefined, at);
    return (this.#open = this.#tracing.beginIn(this.caller, name, this.#attributes, at));
  }
}

/** Loads as a span: a part of `caller`, of the current span without one, and none without either. */
export function tracedLoad<T>(load: (stream: string) => Promise<T>): (stream: string, caller?: Span) => Promise<T> {
  const active = tracing();
  if (!active) return load;
  return (stream, caller = active.current()) => {
    if (!caller) return load(stream);
    const attributes = { [ATTRIBUTES.stream]: stream };
    return active.within({ name: SPANS.load, parent: caller, attributes }, () => load(stream));
  };
}
