// An event that a consumer could not take.
export interface Letter {
  /** `<service>:<number>`. */
  readonly id: string;
  readonly service: string;
  readonly consumer: string;
  /** `order.42`: the actor whose event it is, or the key of a message from outside. */
  readonly stream: string;
  readonly version: number;
  readonly type: string;
  readonly error: { readonly type: string; readonly message: string };
  readonly attempts: number;
  readonly at: string;
  readonly event?: unknown;
}

/** The actor whose event it is; undefined for a message from outside. */
export function actorOf({ stream, event }: Pick<Letter, "stream" | "event">): { type: string; id: string } | undefined {
  const { actor, stream: id } = (event ?? {}) as { actor?: unknown; stream?: unknown };
  if (typeof actor === "string" && typeof id === "string") return { type: actor, id };
  const dot = stream.indexOf(".");
  return dot > 0 ? { type: stream.slice(0, dot), id: stream.slice(dot + 1) } : undefined;
}
