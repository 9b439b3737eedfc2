// How long an answer may be kept, and by whom: browsers, caches before the gateway (RFC 9111), and the gateway itself.
import { surrogateKeyOf } from "../../contract/index.ts";
import { Misconfigured } from "../../kernel/index.ts";
import type { Request } from "../route/route.ts";

/**
 * Whether and for how long the answer to a read may be kept; for routes whose answer is the same for everybody. The
 * gateway keeps it as long as a shared cache may, and forgets it as soon as it hears of a change of one of its tags.
 */
export interface CachePolicy<R> {
  /** Seconds in a browser, without a question. No change reaches a browser: 0 lets it ask each time (304). */
  readonly maxAge: number;
  /** Seconds in shared caches, this gateway among them: how long a change can go unnoticed when its message is lost. */
  readonly sMaxAge: number;
  /** Seconds after those in which the old answer may still be given while a new one is fetched. Default 0. */
  readonly staleWhileRevalidate?: number;
  /**
   * Seconds after `sMaxAge` in which a cache before the gateway may give the old answer when the gateway fails or is away.
   * Default 0. The gateway itself fails then.
   */
  readonly staleIfError?: number;
  /**
   * Names of what the answer shows. A change names its tags in `announceChange`; a change of an actor has the tags
   * `<actor>.<id>` or, when many have changed at once, the name of their service: an answer about an actor needs both.
   */
  readonly tags: (result: R, request: Request<any, any, any>) => readonly string[];
}

/** Throws Misconfigured for a policy on a route whose answers are not for everybody. */
export function checkPolicy(line: string, access: unknown, policy: CachePolicy<never> | undefined): void {
  if (policy && (!line.startsWith("GET ") || access !== "public"))
    throw new Misconfigured(`${line}: only a GET with access "public" may be cached: its answer is kept for everybody`);
}

/** `public, max-age=5, s-maxage=15, stale-while-revalidate=30, stale-if-error=3600` */
export const cacheControlOf = ({
  maxAge,
  sMaxAge,
  staleWhileRevalidate = 0,
  staleIfError = 0,
}: CachePolicy<never>): string =>
  `public, max-age=${maxAge}, s-maxage=${sMaxAge}` +
  (staleWhileRevalidate > 0 ? `, stale-while-revalidate=${staleWhileRevalidate}` : "") +
  (staleIfError > 0 ? `, stale-if-error=${staleIfError}` : "");

/** The tags as delivery networks take them, to purge by: Fastly and Varnish with blanks between, Cloudflare with commas. */
export function tagHeadersOf(tags: readonly string[]): Readonly<Record<string, string>> {
  if (tags.length === 0) return {};
  const keys = tags.map(surrogateKeyOf);
  return { "Surrogate-Key": keys.join(" "), "Cache-Tag": keys.join(",") };
}

/**
 * In place of the policy, on an answer that may be from before a change: a cache before the gateway that was purged
 * meanwhile would keep the old state as a new one. For a second it may; were it forbidden, Varnish and Fastly would send
 * each request for it to the gateway for two minutes.
 */
export const OVERTAKEN = { "Cache-Control": "public, max-age=0, s-maxage=1" } as const;
