// A service that is called refuses in its own words: it names its own fields (`ids.2`). The client of the calling service
// has written others (`guests.5.roomId`), and its form can only mark those.
import { isRefusal, Refusal, type Issue } from "../kernel/index.ts";

/** A refusal as it arrived from another service, ready to be thrown as another: `new Refusal(type, { ...detail, field })`. */
export interface Refused {
  readonly type: string;
  readonly message: string;
  /** HTTP status. */
  readonly status: number;
  readonly errors?: readonly Issue[];
  readonly members?: Readonly<Record<string, unknown>>;
  readonly retryAfterMs?: number;
}

/** Other names for the callee's fields, or the whole refusal anew. */
export type Words = Readonly<Record<string, string>> | ((refused: Refused) => Refusal);

/** The content of a refusal; undefined for any other error. */
export function refusedOf(error: unknown): Refused | undefined {
  if (!isRefusal(error)) return undefined;
  const { type, message, code } = error;
  const { errors, members, retryAfterMs } = (error as { data?: Partial<Refused> }).data ?? {};
  return {
    type,
    message,
    status: code,
    ...(errors && { errors }),
    ...(members && { members }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  };
}

/**
 * The answer of a call; refusals of the rules that are named are thrown in the caller's words, every other error as it is:
 * `inCallersWords(ctx.call("rooms.get", { id }), { ROOM_NOT_FOUND: { id: "roomId" } })`.
 */
export async function inCallersWords<T>(call: Promise<T>, words: Readonly<Record<string, Words>>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    const refused = refusedOf(error);
    if (!refused || !Object.hasOwn(words, refused.type)) throw error;
    const said = words[refused.type]!;
    throw typeof said === "function" ? said(refused) : renamed(refused, said);
  }
}

function renamed({ type, errors = [], ...detail }: Refused, fields: Readonly<Record<string, string>>): Refusal {
  const named = errors.map(issue => ({
    ...issue,
    field: Object.hasOwn(fields, issue.field) ? fields[issue.field]! : issue.field,
  }));
  return new Refusal(type, { ...detail, errors: named });
}
