// The spans of a trace as bars, in the order of their starts, each below the span that it is a part of. Pure.
export interface Span {
  readonly id: string;
  readonly parent?: string | undefined;
  readonly name: string;
  readonly kind: string;
  readonly node: string;
  /** Milliseconds from the trace's first span, and that it took. */
  readonly offsetMs: number;
  readonly ms: number;
  readonly failed: boolean;
  readonly error?: string | undefined;
}
export interface Bar {
  readonly span: Span;
  /** 0 for a span that is part of no other. */
  readonly depth: number;
  /** Per mille of the trace's time. */
  readonly from: number;
  readonly width: number;
  /** Milliseconds in which nothing of its parts ran, between two of them, if that is a gap. */
  readonly gapMs?: number;
}

/** The ground on which bars are drawn. */
export const SCALE = 1_000;
/** A pause is a gap from this share of the trace on. */
const GAP_SHARE = 0.1;
/** Checks of health say nothing about the system's work. */
const isProbe = ({ name }: Span): boolean => /\/health\b|\$health\b/.test(name);

export function barsOf(all: readonly Span[]): Bar[] {
  const spans = all.filter(span => !isProbe(span));
  const known = new Set(spans.map(({ id }) => id));
  const totalMs = Math.max(1, ...spans.map(({ offsetMs, ms }) => offsetMs + ms));
  const parts = Map.groupBy(spans, ({ parent }) => (parent !== undefined && known.has(parent) ? parent : ""));
  const within = (parent: string, depth: number): Bar[] => {
    let lastEndMs: number | undefined;
    return (parts.get(parent) ?? [])
      .toSorted((a, b) => a.offsetMs - b.offsetMs)
      .flatMap(span => {
        const gapMs = span.offsetMs - (lastEndMs ?? span.offsetMs);
        lastEndMs = Math.max(lastEndMs ?? 0, span.offsetMs + span.ms);
        return [
          {
            span,
            depth,
            from: Math.round((span.offsetMs / totalMs) * SCALE),
            // A span of no length is seen, too.
            width: Math.max(3, Math.round((span.ms / totalMs) * SCALE)),
            ...(gapMs > totalMs * GAP_SHARE && { gapMs }),
          },
          ...within(span.id, depth + 1),
        ];
      });
  };
  return within("", 0);
}
