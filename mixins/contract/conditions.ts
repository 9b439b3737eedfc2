// Conditional requests (RFC 9110, 13): a client names the state of a resource that its request is about, and the resource is
// not changed in any other state. The gateway reads the headers; the service that owns the resource decides, in the
// transaction of the change.
import { hash } from "node:crypto";
import Type, { type Static } from "typebox";
import { canonicalJson, type Refusal } from "../kernel/index.ts";
import { strictObject } from "./contract.ts";
import { callErrors } from "./errors.ts";

/** `*` alone, or entity tags with their quotes. */
const tags = Type.Array(Type.String({ maxLength: 200 }), { minItems: 1, maxItems: 50 });

/** Conditions on a resource, as the last param (`if`) of an action that changes it. */
export const Conditions = strictObject({
  /** If-Match: it has one of these tags; `*`: it is there. */
  match: Type.Optional(tags),
  /** If-None-Match: it has none of these tags; `*`: it is not there. */
  noneMatch: Type.Optional(tags),
  /** If-Unmodified-Since, RFC 3339: it was not changed after that second. */
  unmodifiedSince: Type.Optional(Type.String({ format: "date-time" })),
});
export type Conditions = Static<typeof Conditions>;

/** The strong entity tag of the answer to a GET: equal answers have equal tags, on any node of any release. */
export const entityTag = (representation: unknown): string =>
  `"${hash("sha256", canonicalJson(representation), "base64url").slice(0, TAG_CHARS)}"`;
/** 132 bits: no two states of one resource meet. */
const TAG_CHARS = 22;

/*
 * One state of a resource has a tag for each of its representations: `"<state>"`, `"<state>.<form>"` in another form
 * (other fields, CSV, the next version of the API), `"<state>-br"` and `"<state>.<form>-gzip"` compressed. A change
 * may name any of them. The state is a hash of the whole answer, its version and `updatedAt` included, rather than these
 * alone: two changes can fall into one millisecond, a store that has lost its data counts versions anew, and a release
 * adds fields to resources that do not change.
 */
const PARTS = /^(?<weak>W\/)?"(?<state>[\w-]{22})(?<form>\.[\w-]{8})?(?:-(?:br|gzip))?"$/;

/** The tag of the same state in another form of the answer. Equal forms have equal tags. */
export const formTag = (tag: string, form: string): string =>
  `${tag.slice(0, -1)}.${hash("sha256", form, "base64url").slice(0, 8)}"`;

/** The tag of the same answer compressed. */
export const encodedTag = (tag: string, encoding: string): string => `${tag.slice(0, -1)}-${encoding}"`;

/** The tag of the state that a tag speaks of, in whichever form and encoding; any other text as it is. */
const stateTag = (tag: string): string =>
  tag.replace(PARTS, (_tag, weak: string = "", state: string) => `${weak}"${state}"`);

export interface Current {
  readonly tag: string;
  /** RFC 3339. Absent for a resource without a time of change: then no condition on that time holds. */
  readonly modifiedAt?: string | undefined;
  /** Whether the resource that `*` asks for is there. Default true. */
  readonly exists?: boolean;
}

/** Refuses `PRECONDITION_FAILED` (412) unless all is true. The date counts only without tags, as RFC 9110 has it. */
export function assertConditions({ match, noneMatch, unmodifiedSince }: Conditions, current: Current): void {
  const { tag, modifiedAt, exists = true } = current;
  const isAny = (list: readonly string[]): boolean =>
    list[0] === "*" ? exists : list.map(stateTag).includes(stateTag(tag));
  const holds =
    match !== undefined
      ? isAny(match)
      : unmodifiedSince === undefined ||
        (modifiedAt !== undefined && secondOf(modifiedAt) <= secondOf(unmodifiedSince));
  // Compared weakly: a proxy that compresses makes a tag weak.
  if (!holds || (noneMatch && isAny(noneMatch.map(text => text.replace(/^W\//, ""))))) throw conditionFailed();
}

export const conditionFailed = (message?: string): Refusal =>
  callErrors.PRECONDITION_FAILED({ ...(message !== undefined && { message }) });

/** HTTP's dates have no parts of a second. */
const secondOf = (moment: string): number => Math.floor(Date.parse(moment) / 1_000);
