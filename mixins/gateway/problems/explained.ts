// What there is to say of an error, from its declaration: for programs as data, and for the pages.
import { STATUS_CODES } from "node:http";
import { problemType, type ErrorDefinition } from "../../kernel/index.ts";
import type { Catalogue } from "./catalogues.ts";

export interface Explained {
  readonly type: string;
  readonly code: string;
  /** HTTP statuses with which it comes, the usual one first. */
  readonly statuses: readonly number[];
  readonly title: string;
  /** The message; `{name}` stands for a value. */
  readonly says: string;
  /** Advice, as an imperative clause. */
  readonly todo: string;
  /** Whether, and how, the same request may be sent again. */
  readonly retry: string;
  /** The part of the runtime, or the service, that declares it; empty for what several services share. */
  readonly owner: string;
}

const RETRY = {
  never: "No: the same request gets the same answer.",
  later: "Yes, after the seconds of `Retry-After`: nothing was done.",
  withKey:
    "Yes, after the seconds of `Retry-After`, with the same `Idempotency-Key`: it is not known whether the request took effect.",
  byStatus:
    "Yes, after the seconds of `Retry-After`. With 503 nothing was done; after a 504 only with the same `Idempotency-Key`, since " +
    "the request may have taken effect.",
  bug: "Once, with the same `Idempotency-Key`: a fault of ours is not mended by repeating.",
} as const;

function retryOf(definition: ErrorDefinition): string {
  if (definition.status === 500) return RETRY.bug;
  if ("unknown" in definition) return RETRY.byStatus;
  if (definition.status === 503 || definition.status === 429) return RETRY.later;
  return definition.status === 504 ? RETRY.withKey : RETRY.never;
}

function statusesOf(definition: ErrorDefinition): number[] {
  if ("inBody" in definition) return [definition.status, definition.inBody];
  return "unknown" in definition ? [definition.status, definition.unknown] : [definition.status];
}

const explained = (code: string, definition: ErrorDefinition, owner: string): Explained => ({
  type: problemType(code),
  code,
  statuses: statusesOf(definition),
  title: STATUS_CODES[definition.status]!,
  says: definition.says,
  todo: definition.todo,
  retry: retryOf(definition),
  owner,
});

/** Each fault that a client is not told of has this code. */
const INTERNAL = explained(
  "INTERNAL",
  {
    status: 500,
    says: "something went wrong in the service, not in the request",
    todo: "tell the operators the `requestId` of the answer, by which they find it in the log",
  },
  "gateway",
);

/** Every error by its `type`, sorted by code. */
export function explainedErrors(catalogues: readonly Catalogue[]): ReadonlyMap<string, Explained> {
  const all = catalogues.flatMap(({ owner, errors }) =>
    Object.values(errors).map(({ code, definition }) => explained(code, definition, owner)),
  );
  const sorted = [...all, INTERNAL].sort((a, b) => (a.code < b.code ? -1 : 1));
  return new Map(sorted.map(error => [error.type, error]));
}
