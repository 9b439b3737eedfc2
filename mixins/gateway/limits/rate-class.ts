// How often a client may ask: each route is of one class, and a class has two windows that both must hold, a sustained
// one of a minute or more and a burst of a second. Routes name the class in `limit`; without one the class follows from
// the kind of route.
//
// Requests are counted by user, by key for API keys, and by network address where nobody has logged in. A class that is
// about one account counts that account at each address besides: ten strangers who try a password use up their own
// counts and not the owner's. Its count over all addresses is kept by the accounts service, which knows the addresses of
// an owner.
import { rolesFor, type Route } from "../route/route.ts";

interface Numbers {
  /** Requests in so many seconds. */
  readonly sustained: readonly [requests: number, seconds: number];
  /** Requests in a second. */
  readonly burst: number;
  /** The same for one account at one address; the account is the `email` of the body. */
  readonly account?: readonly [requests: number, seconds: number];
  /** Whether a request is counted for the account only when it has failed: right passwords are no guesses. */
  readonly countsFailures?: boolean;
}

/**
 * The classes. A page asks for some twenty resources at once, and a person opens a page in a second: `read` is
 * ten times that, so that only programs meet it.
 */
export const RATE_CLASSES = {
  /** Reads of a user. */
  read: { sustained: [6_000, 60], burst: 300 },
  /** Changes of a user. */
  write: { sustained: [12_000, 60], burst: 400 },
  /** Reads that need no log-in, by address: a company may share one. */
  "public-read": { sustained: [12_000, 60], burst: 600 },
  /** Changes that need no log-in, by address: webhooks, refreshed sessions. */
  "public-write": { sustained: [6_000, 60], burst: 300 },
  /** Routes that ask for a role. */
  operate: { sustained: [6_000, 60], burst: 300 },
  /** A machine compares about 100 passwords a second: one address gets half. */
  login: { sustained: [2_000, 60], burst: 50, account: [30, 60], countsFailures: true },
  register: { sustained: [200, 600], burst: 50 },
  /** Mails that a stranger can have sent to somebody, and tokens that a stranger can try. */
  reset: { sustained: [100, 600], burst: 10, account: [10, 600] },
} as const satisfies Readonly<Record<string, Numbers>>;

/** Requests of one class are counted together, for each user, key or address. */
export type RateClass = keyof typeof RATE_CLASSES;

/** One window of a class: the item of the same name in `RateLimit-Policy`. */
export interface Policy {
  readonly name: string;
  /** Requests in a window. */
  readonly quota: number;
  readonly windowSeconds: number;
}

/** The limits of a route, for the API's description and for the counters. */
export interface RouteLimits {
  readonly class: RateClass;
  /** Whose requests are counted together. */
  readonly countedBy: "user" | "address";
  readonly policies: readonly Policy[];
  /** Counted for each account at each address besides. */
  readonly account: Policy | undefined;
  /** Whether a request is counted for the account only when it has failed. */
  readonly countsFailures: boolean;
}

/**
 * The limits of a route, at this percentage of the usual numbers; undefined with 0 percent. An event stream counts once,
 * when it is asked for: how many are open has caps of its own, and one that is refused costs a call as any read.
 */
export function limitsOf(route: Pick<Route, "method" | "access" | "limit">, percent = 100): RouteLimits | undefined {
  if (percent === 0) return undefined;
  const name = route.limit ?? usualClass(route);
  const { sustained, burst, account, countsFailures = false }: Numbers = RATE_CLASSES[name];
  const policy = (name: string, [requests, windowSeconds]: readonly [number, number]): Policy => ({
    name,
    quota: Math.max(1, Math.round((requests * percent) / 100)),
    windowSeconds,
  });
  return {
    class: name,
    countedBy: route.access === "public" ? "address" : "user",
    policies: [policy(name, sustained), policy("burst", [burst, 1])],
    account: account && policy(`${name}-account`, account),
    countsFailures,
  };
}

function usualClass({ method, access }: Pick<Route, "method" | "access">): RateClass {
  if (rolesFor(access).length > 0) return "operate";
  const kind = method === "GET" ? "read" : "write";
  return access === "public" ? `public-${kind}` : kind;
}
