/** Importance of a request under overload: the least important is refused first. Default `normal`. */
export type Priority = "critical" | "normal" | "bulk";
