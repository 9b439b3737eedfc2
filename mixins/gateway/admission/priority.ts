/**
 * Importance of a request under overload: the least important is refused first. `critical` is for what earns money or
 * keeps people logged in (pay, check out, refresh), `bulk` for what can wait (search, export). Default `normal`.
 */
export type Priority = "critical" | "normal" | "bulk";

/** The most important first. */
export const PRIORITIES: readonly Priority[] = ["critical", "normal", "bulk"];
