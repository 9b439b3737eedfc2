// The rate limits of one gateway: the windows of each class, whose request counts for whom, and what the headers say
// (draft-ietf-httpapi-ratelimit-headers-11):
//
//   RateLimit-Policy: "read";q=6000;w=60, "burst";q=300;w=1      requests in so many seconds; all must hold
//   RateLimit: "read";r=5998;t=42, "burst";r=299;t=1             requests left, and seconds until the window ends
import { hash } from "node:crypto";
import type { ServerResponse } from "node:http";
import type { ServiceBroker } from "moleculer";
import { setField } from "../../http/siblings.ts";
import { listedServices } from "../../contract/index.ts";
import { nodeEnvironment, systemClock, type Clock } from "../../kernel/index.ts";
import { metersOf } from "../../metrics/index.ts";
import { impatientClientOf, redisOf } from "../../redis/index.ts";
import { GATEWAY, gatewayEnvironment } from "../environment.ts";
import { gatewayErrors } from "../errors.ts";
import type { Exchange } from "../exchange.ts";
import { limits } from "../limits.ts";
import { gatewayMetrics } from "../metrics.ts";
import type { Route } from "../route/route.ts";
import { limitsOf, RATE_CLASSES, type Policy, type RateClass } from "./rate-class.ts";
import { SharedCounts, Window, type Spent } from "./window.ts";

/** The windows of a class. */
interface Limited {
  readonly class: RateClass;
  readonly windows: readonly Window[];
  readonly account: Window | undefined;
  readonly countsFailures: boolean;
  /** `RateLimit-Policy` of every answer. */
  readonly policy: string;
}

/** Credentials that were refused, of one address: each costs a signature's check, or a call. */
const FAILURES: Policy = {
  name: "failed-authentication",
  quota: limits.failedAuthenticationsMax,
  windowSeconds: limits.failedAuthenticationsSeconds,
};

export interface RateLimitsOptions {
  /** Percentage of the usual numbers; 0: no limits. */
  readonly percent: number;
  readonly shared: SharedCounts | undefined;
  readonly gateways: () => number;
  readonly clock: Clock;
  /** Told of each request that is refused. */
  readonly refused?: (name: string) => void;
}

export class RateLimits {
  readonly #options: RateLimitsOptions;
  readonly #byRoute = new Map<Route, Limited | undefined>();
  readonly #byClass = new Map<RateClass, Limited>();
  readonly #failures: Window | undefined;

  constructor(options: RateLimitsOptions) {
    this.#options = options;
    this.#failures = options.percent === 0 ? undefined : this.#windowOf("failed-authentication", FAILURES);
  }

  /**
   * Counts a request for its user, key or address. Refuses (429 `RATE_LIMITED`) one too many. At once, without a promise,
   * where no other gateway has to be asked.
   */
  count({ route, caller, address, res }: Exchange): Promise<void> | undefined {
    const limited = this.#limitedOf(route);
    if (!limited) return undefined;
    const key = payerOf(route, caller, address);
    const [first, second] = limited.windows as [Window, Window];
    const [ofFirst, ofSecond] = [first.spend(key), second.spend(key)];
    const counted = (spent: readonly Spent[]): void => {
      setField(res, "RateLimit-Policy", limited.policy);
      this.#tell(res, spent);
      this.#refuse(limited.class, spent);
    };
    if (ofFirst instanceof Promise || ofSecond instanceof Promise)
      return Promise.all([ofFirst, ofSecond]).then(counted);
    counted([ofFirst, ofSecond]);
    return undefined;
  }

  /** Whether requests of the route are counted for the account that they name, too. */
  countsAccounts(route: Route): boolean {
    return this.#limitedOf(route)?.account !== undefined;
  }

  /**
   * Counts a request that is about one account, for that account at this address. Refuses (429) one too many. Of a class that
   * counts failures the request is counted when it has failed, by the function that it answers: while it is under way nobody
   * knows, and right passwords that come at once are not refused for each other. The service behind it bounds those.
   */
  async countAccount({ route, address, request, res }: Exchange): Promise<(() => Promise<void>) | undefined> {
    const { account, countsFailures } = this.#limitedOf(route) ?? {};
    const { email } = request.body as { email?: unknown };
    if (!account || typeof email !== "string") return undefined;
    const key = `${accountKey(email)}@${address}`;
    const spent = countsFailures ? account.usedUp(key) : await account.spend(key);
    if (spent && !spent.isWithin) this.#tell(res, [spent]);
    if (spent) this.#refuse(spent.policy.name, [spent]);
    return countsFailures ? async () => void (await account.spend(key)) : undefined;
  }

  /** Refuses (429) an address that sent too many wrong credentials, unless this one needs no check. Asks nobody. */
  refuseGuesser(address: string, res: ServerResponse, isKnown: () => boolean): void {
    const spent = this.#failures?.usedUp(address);
    if (!spent || isKnown()) return;
    this.#tell(res, [spent]);
    this.#refuse(FAILURES.name, [spent]);
  }

  /** Counts wrong credentials of an address. */
  async countFailure(address: string): Promise<void> {
    await this.#failures?.spend(address);
  }

  #limitedOf(route: Route): Limited | undefined {
    if (!this.#byRoute.has(route)) this.#byRoute.set(route, this.#newLimited(route));
    return this.#byRoute.get(route);
  }

  #newLimited(route: Route): Limited | undefined {
    const all = limitsOf(route, this.#options.percent);
    if (!all) return undefined;
    const known = this.#byClass.get(all.class);
    if (known) return known;
    const policies = all.account ? [...all.policies, all.account] : all.policies;
    const limited: Limited = {
      class: all.class,
      windows: all.policies.map(policy => this.#windowOf(`${all.class}:${policy.windowSeconds}`, policy)),
      account: all.account && this.#windowOf(all.account.name, all.account),
      countsFailures: all.countsFailures,
      policy: policies.map(({ name, quota, windowSeconds }) => `"${name}";q=${quota};w=${windowSeconds}`).join(", "),
    };
    this.#byClass.set(all.class, limited);
    return limited;
  }

  #windowOf(name: string, policy: Policy): Window {
    const { shared, gateways, clock } = this.#options;
    return new Window({ policy, name, shared, gateways, clock });
  }

  #tell(res: ServerResponse, spent: readonly Spent[]): void {
    let text = "";
    for (const { policy, left, endsInMs } of spent)
      text += `${text && ", "}"${policy.name}";r=${left};t=${secondsOf(endsInMs)}`;
    setField(res, "RateLimit", text);
  }

  /** The window that ends last decides when the client may come again. */
  #refuse(name: string, spent: readonly Spent[]): void {
    let retryAfterMs = -1;
    for (const { isWithin, endsInMs } of spent) if (!isWithin) retryAfterMs = Math.max(retryAfterMs, endsInMs);
    if (retryAfterMs < 0) return;
    this.#options.refused?.(name);
    throw gatewayErrors.RATE_LIMITED({ seconds: secondsOf(retryAfterMs), retryAfterMs });
  }
}

/** As `Retry-After` has them: a client that waits so long comes after the end, not before. */
const secondsOf = (ms: number): number => Math.max(1, Math.ceil(ms / 1_000));

/** Whose request it is: of a key, of a user, or of a network. */
function payerOf({ access }: Route, { user, keyId }: Exchange["caller"], address: string): string {
  if (access === "public" || user.id === "") return `address:${address}`;
  return keyId === undefined ? `user:${user.id}` : `key:${keyId}`;
}

/** An account by its e-mail address, in any form of writing; hashed, so that Redis holds no addresses. */
const accountKey = (email: string): string =>
  hash("sha256", email.normalize("NFKC").toLowerCase(), "base64url").slice(0, 22);

const known = new WeakMap<ServiceBroker, RateLimits>();

/** The limits of the broker's gateway: its steps share them. */
export function rateLimitsOf(broker: ServiceBroker): RateLimits {
  let rates = known.get(broker);
  if (!rates) known.set(broker, (rates = openRateLimits(broker)));
  return rates;
}

function openRateLimits(broker: ServiceBroker): RateLimits {
  const percent = gatewayEnvironment.of(broker).RATE_LIMIT_PERCENT;
  const client = percent === 0 ? undefined : impatientClientOf(broker);
  const shared = client && new SharedCounts(client, redisOf(broker)!.prefix, systemClock);
  const meters = metersOf(broker);
  for (const name of Object.keys(RATE_CLASSES)) meters?.begin(gatewayMetrics.rateLimited, { class: name });
  const refused = (of: string): void => meters?.counter(gatewayMetrics.rateLimited, { class: of }).add();
  return new RateLimits({ percent, shared, gateways: gatewaysOf(broker), clock: systemClock, refused });
}

/** How many gateways run now: those that the registry knows, or the workers of this machine, if they are more. */
function gatewaysOf(broker: ServiceBroker): () => number {
  const { WORKERS } = nodeEnvironment.of(broker);
  let [count, countedAt] = [WORKERS, -Infinity];
  return () => {
    const now = systemClock.monotonic();
    if (now - countedAt > limits.gatewaysCountedMs) {
      countedAt = now;
      const gateways = listedServices(broker, { onlyAvailable: true }).filter(({ name }) => name === GATEWAY);
      count = Math.max(WORKERS, gateways.length, 1);
    }
    return count;
  };
}
