// The messages of a relay, whatever server carries them: one event each, its place in the log, and a seal.
import { createHmac, hash, timingSafeEqual } from "node:crypto";
import type { Cursor, LogEvent } from "../log/source.ts";

/**
 * A message: one event, and where in the log it stands. The relay reads the log page by page; from the cursor `after` to
 * the cursor `upTo` lie `count` events, of which this is number `index`, from 1 on. A reader that has all of them has the
 * log between the two cursors; one that misses some sees it by these numbers at the next message.
 */
export interface Carried {
  /** Which log, in which shape: see LogPage. */
  readonly origin: string;
  readonly after: Cursor;
  readonly upTo: Cursor;
  readonly index: number;
  readonly count: number;
  /** Digest of the mark at `after`. A page without it does not follow, unless it begins where the log does. */
  readonly follows?: string;
  /** The mark at `upTo`; in the last message of a page. */
  readonly mark?: string;
  /** Absent when it is larger than a message may be: then it is read from the log. */
  readonly event?: LogEvent;
}

/** A message as it was received: `seal` is of the digest of its text. */
export interface Received extends Carried {
  /** Characters of its text. */
  readonly size: number;
  readonly digest: string;
  readonly seal?: string;
}

/**
 * The text of a message with a seal at its end, which proves that it comes from the owner or from one of its readers: they
 * alone have the secret. Whoever may only publish to JetStream has none, and puts no event into a log.
 */
export const sealed = (text: string, secret: string): string =>
  `${text.slice(0, -1)},"seal":"${sealOf(digestOf(text), secret)}"}`;

export const isSealed = ({ digest, seal = "" }: Received, secret: string): boolean => {
  const expected = Buffer.from(sealOf(digest, secret));
  const given = Buffer.from(seal);
  return given.length === expected.length && timingSafeEqual(given, expected);
};

export function receivedFrom(text: string): Received {
  const unsealed = text.replace(SEAL, "}");
  return { ...(JSON.parse(text) as Carried & { seal?: string }), size: text.length, digest: digestOf(unsealed) };
}

const SEAL = /,"seal":"[\w-]{43}"\}$/;
export const digestOf = (text: string): string => hash("sha256", text, "base64url");
export const sealOf = (digest: string, secret: string): string =>
  createHmac("sha256", secret).update(digest).digest("base64url");

export const digestOfMark = (mark: string | undefined): string | undefined =>
  mark === undefined ? undefined : hash("sha256", mark, "base64url").slice(0, 22);
