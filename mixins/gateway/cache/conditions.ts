// Conditional requests (RFC 9110, 13). No header that asks for safety is ignored. A change of a resource with a version
// carries its conditions to the service that owns the resource. A resource without a version has no state that a client
// could name, so a conditional change of it is refused (412). That is stricter than the RFC in one point: there
// If-Unmodified-Since is ignored when no date is known, and the change would be made.
import type { IncomingHttpHeaders } from "node:http";
import {
  assertConditions,
  conditionFailed,
  encodedTag,
  entityTag,
  formTag,
  type Conditions,
} from "../../contract/index.ts";
import { type Refusal, rfc3339 } from "../../kernel/index.ts";
import type { Encoding } from "../../http/siblings.ts";
import { gatewayErrors } from "../errors.ts";

const TAG = String.raw`(?:W\/)?"[!#-~\x80-\xff]*"`;
/** A list may hold empty elements, and blanks around its commas. Bounded, since tags could be matched in many ways. */
const TAGS = new RegExp(`^[\\t ,]*${TAG}(?:[\\t ]*,[\\t ,]*${TAG})*[\\t ,]*$`);
const CHARS_MAX = 2_000;
const TAGS_MAX = 50;
/** IMF-fixdate, and the form of RFC 850. No client sends the third form of HTTP (asctime). */
const HTTP_DATE = /^[A-Z][a-z]{2,8}, \d\d[ -][A-Z][a-z]{2}[ -]\d{2,4} \d\d:\d\d:\d\d GMT$/;

/** The conditions of a request; undefined without any. Refuses (400) malformed ones: they were meant to protect as well. */
export function conditionsOf(headers: IncomingHttpHeaders): Conditions | undefined {
  const match = tagsOf("If-Match", headers["if-match"]);
  const noneMatch = tagsOf("If-None-Match", headers["if-none-match"]);
  const unmodifiedSince = dateOf("If-Unmodified-Since", headers["if-unmodified-since"]);
  if (!match && !noneMatch && unmodifiedSince === undefined) return undefined;
  return {
    ...(match && { match }),
    ...(noneMatch && { noneMatch }),
    ...(unmodifiedSince !== undefined && { unmodifiedSince }),
  };
}

/** For a resource without a version only `If-Match: *` can hold; the action decides whether the resource exists. */
export function refuseConditions({ match, ...others }: Conditions): void {
  if (match?.[0] === "*" && Object.keys(others).length === 0) return;
  throw conditionFailed("this resource has no version that could be compared: nothing was done");
}

export interface Validators {
  readonly tag: string;
  /** RFC 3339. */
  readonly modifiedAt: string | undefined;
}

/**
 * ETag and date of an answer, by which clients compare it: the tag of the action's answer, with a mark of the form if
 * the body is another. So a client may make a change conditional on what it has read in any form.
 */
export function validatorsOf(result: unknown, body: unknown = result): Validators {
  const { updatedAt } = (result ?? {}) as { updatedAt?: unknown };
  const tag = stateTagOf(result);
  return {
    tag: body === result ? tag : formTag(tag, typeof body === "string" ? body : JSON.stringify(body)),
    modifiedAt: typeof updatedAt === "string" ? updatedAt : undefined,
  };
}

/** An answer from the cache is the same object each time: its tag costs as much as the rest of the pipeline. */
const known = new WeakMap<object, string>();
function stateTagOf(result: unknown): string {
  if (typeof result !== "object" || result === null) return entityTag(result);
  let tag = known.get(result);
  if (tag === undefined) known.set(result, (tag = entityTag(result)));
  return tag;
}

export const validatorHeaders = ({ tag, modifiedAt }: Validators): Record<string, string> => ({
  ETag: tag,
  ...(modifiedAt !== undefined && { "Last-Modified": new Date(modifiedAt).toUTCString() }),
});

/** The tag of the answer in this encoding. */
export const tagIn = (encoding: Encoding | undefined, { tag }: Validators): string =>
  encoding === undefined ? tag : encodedTag(tag, encoding);

/**
 * For a read: whether the client has the answer already (304), in the encoding in which it would get it. A cache asks with the
 * tags of all its copies, and gives its client the one that the 304 names: one in another encoding may be of no use to
 * it. Refuses (412) when the client asks for another state.
 */
export function isUnchanged(
  headers: IncomingHttpHeaders,
  conditions: Conditions | undefined,
  now: Validators,
  encoding?: Encoding,
): boolean {
  const { noneMatch, ...must } = conditions ?? {};
  assertConditions(must, now);
  if (noneMatch) return noneMatch[0] === "*" || noneMatch.some(tag => tag.replace(/^W\//, "") === tagIn(encoding, now));
  const since = headers["if-modified-since"];
  // RFC 9110, 13.1.3: a date that is malformed is ignored, and the answer is sent.
  if (since === undefined || now.modifiedAt === undefined || !HTTP_DATE.test(since)) return false;
  return Math.floor(Date.parse(now.modifiedAt) / 1_000) <= Math.floor(Date.parse(since) / 1_000);
}

function tagsOf(field: string, text: string | undefined): string[] | undefined {
  if (text === undefined) return undefined;
  if (text.trim() === "*") return ["*"];
  const tags = text.length <= CHARS_MAX && TAGS.test(text) ? text.match(new RegExp(TAG, "g"))! : [];
  if (tags.length === 0 || tags.length > TAGS_MAX)
    throw malformed(field, `must be * or at most ${TAGS_MAX} entity tags in quotes, commas between`);
  return tags;
}

function dateOf(field: string, text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const moment = HTTP_DATE.test(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(moment)) throw malformed(field, "must be a date as HTTP has it: Sun, 06 Nov 1994 08:49:37 GMT");
  return rfc3339(moment);
}

const malformed = (field: string, message: string): Refusal => gatewayErrors.BAD_CONDITION({ field, message });
