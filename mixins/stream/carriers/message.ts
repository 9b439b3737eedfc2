// The messages of a relay, whatever server carries them: one event each, its place in the log, and a seal.
import { createHmac, hash, timingSafeEqual } from "node:crypto";
import type { Cursor, LogEvent } from "../log/source.ts";

/**
 * A message: one event, and where in the log it stands. The relay reads the log page by page; from the cursor `after` to
 * the cursor `upTo` lie `count` events, of which this is number `index`, from 1 on. A reader that has all of them has the
 * log between the two cursors; one that misses some sees it by these numbers at the next message.
 *
 * Where nodes share the publishing, a page has the events in a row that are one node's to publish, and its cursors are the
 * places of the event before it and of its last one. All nodes read one log, so their pages join without gaps, whatever
 * they are and however many: the number of partitions is in no message, and a partition without events says nothing. Such a
 * page of a log on several databases is one of a single database, `<shard>=<place>`, under an origin of its own
 * (`originOfShards`), of which a release that knows only whole pages takes nothing.
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

/** The origin of pages of single databases of a log. */
export const originOfShards = (origin: string): string => origin + SHARDS;
const SHARDS = "/shards";

/** Whether a page is one of a single database of its log. */
export const isOfShard = ({ origin }: Pick<Carried, "origin">): boolean => origin.endsWith(SHARDS);

/** Names the pages that follow one on the other: those of a log, or of one database of it. */
export const chainOf = (page: Pick<Carried, "origin" | "upTo">): string =>
  isOfShard(page) ? chainOfShard(page.origin, page.upTo) : page.origin;
const chainOfShard = (origin: string, place: Cursor): string => `${origin} ${place.split("=", 1)[0]}`;

/** The place that a cursor is in each chain of its log. */
export function chainsAt(origin: string, cursor: Cursor): (readonly [chain: string, place: Cursor])[] {
  const shards = cursor.includes("=") ? cursor.split(",") : [];
  return [[origin, cursor], ...shards.map(place => [chainOfShard(originOfShards(origin), place), place] as const)];
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
