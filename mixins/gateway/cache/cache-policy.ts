/** How long an answer may be kept, and by whom. */
export interface CachePolicy<_R> {
  /** Seconds in a browser. */
  readonly maxAge: number;
}
