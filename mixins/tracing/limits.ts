/** Limits of tracing. What does not fit is dropped and counted: nothing waits for a trace. */
export const limits = {
  /** Traces that are held until it is known whether they are slow or failed; one more drops the one that began first. */
  heldTracesMax: 2_000,
  /** Spans that are held of all of them: about 40 MB. One more drops the trace that began first. */
  heldSpansMax: 20_000,
  /** Traces that were slow or failed, which stay in memory for operators; and spans of one of them: a few MB in all. */
  recentTracesMax: 200,
  recentSpansMax: 300,
  /** Links of one span: the specification's default. A batch of more works for more, and says how many. */
  linksMax: 128,
  /** Characters of an attribute's value: a statement of SQL with a thousand rows has a hundred thousand. */
  valueChars: 2_000,
  /** Milliseconds that a stop waits for a collector to take the last spans. */
  flushMs: 2_000,
} as const;
