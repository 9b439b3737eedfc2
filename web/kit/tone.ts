/** What a state means for who looks at it. */
export type Tone = "good" | "warn" | "bad" | "busy" | "idle";
