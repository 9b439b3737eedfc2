// An actor at a version, and what changed between two.
export interface ActorEvent {
  readonly type: string;
  readonly version: number;
  readonly at: string;
  readonly data: unknown;
  readonly metadata?: Readonly<Record<string, unknown>>;
}
export interface ActorAt {
  readonly type: string;
  readonly id: string;
  readonly version: number;
  readonly state: unknown;
  readonly events: readonly ActorEvent[];
  /** The node that it lives on, or would; absent where a node of an earlier release does not tell. */
  readonly owner?: string;
  readonly isArchived?: boolean;
  readonly timers?: readonly ActorTimer[];
  /** There are more timers in the service than were searched. */
  readonly isPartial?: boolean;
}
export interface ActorTimer {
  readonly id: string;
  readonly command: string;
  readonly params: unknown;
  readonly nextAt: string;
  readonly lateMs: number;
  readonly attempts: number;
}

export interface Change {
  /** `lines[0].quantity`. */
  readonly path: string;
  /** Absent: the path is new. */
  readonly before?: unknown;
  /** Absent: the path is gone. */
  readonly after?: unknown;
}

/** The version that a URL says, within those that there are; undefined for now. */
export function versionIn(text: string | undefined, latest: number): number | undefined {
  const version = Number(text);
  if (text === undefined || !Number.isInteger(version) || version < 0 || version >= latest) return undefined;
  return version;
}

/** The command that shows the same in a terminal. */
export const commandOf = ({ type, id }: Pick<ActorAt, "type" | "id">, version: number | undefined): string =>
  `actor ${type} ${id}${version === undefined ? "" : ` --at ${version}`}`;
