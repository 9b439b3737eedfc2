// The steps that count: wrong credentials before they are checked again, requests by who asks, and requests about one
// account once the body has named it.
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { isRefusal } from "../../kernel/index.ts";
import { ANONYMOUS } from "../auth/authentication.ts";
import type { Callers } from "../auth/callers.ts";
import { dropField } from "../../http/siblings.ts";
import { stepFor, type Exchange, type Parts, type Step } from "../exchange.ts";
import { rateLimitsOf, type RateLimits } from "./rate-limits.ts";

/**
 * An address that has sent too many wrong credentials is refused before another one is checked. Credentials that were right
 * before pass, and are checked: people who share the address with a guesser stay logged in.
 */
export const limitFailures = ({ broker, callers }: Parts): Step => {
  const rates = rateLimitsOf(broker);
  return stepFor(
    ({ access }) => access !== "public",
    (exchange, next) => countingGuesses({ rates, callers }, exchange, next, () => exchange.caller.user === ANONYMOUS),
  );
};

/**
 * Answers an endpoint beside the routes by `work`, which identifies the caller: wrong credentials count there, too, since
 * they cost and tell as much.
 */
export const limitFailuresOf = async <T>(
  { broker, callers }: Pick<Parts, "broker" | "callers">,
  client: Client,
  work: () => Promise<T>,
): Promise<T> => countingGuesses({ rates: rateLimitsOf(broker), callers }, client, work);

type Client = Pick<Exchange, "res" | "address"> & { readonly req: IncomingMessage };

function countingGuesses<T>(
  { rates, callers }: { rates: RateLimits; callers: Callers },
  { req, res, address }: Client,
  work: () => Promise<T>,
  isGuess = (): boolean => true,
): Promise<T> {
  if (!hasCredentials(req.headers)) return work();
  rates.refuseGuesser(address, res, () => callers.remembers(req));
  return work().catch(async (error: unknown) => {
    if (isRefusal(error) && error.code === 401 && isGuess()) await rates.countFailure(address);
    throw error;
  });
}

/** Whether there is something to check: a token, a key, or a cookie of ours. Pages have cookies of others too. */
const hasCredentials = ({ authorization, cookie = "", ...headers }: IncomingHttpHeaders): boolean =>
  authorization !== undefined || headers["x-api-key"] !== undefined || OWN_COOKIE.test(cookie);
/** As `parseCookie` finds it: any blanks may stand before a name, and nothing between two semicolons. */
const OWN_COOKIE = /(?:^|;)[ \t]*(?:__Host-)?valence/;

export const limitRate = ({ broker }: Parts): Step => {
  const rates = rateLimitsOf(broker);
  return (exchange, next) => {
    const counting = rates.count(exchange);
    const passed = counting ? counting.then(next) : next();
    return passed.catch((error: unknown) => {
      // Another limit than the counted one, of an account or its mails: what is left of this one would mislead.
      if (isRefusal(error) && error.code === 429 && error.type !== "RATE_LIMITED") dropField(exchange.res, "RateLimit");
      throw error;
    });
  };
};

export const limitAccount = ({ broker }: Parts): Step => {
  const rates = rateLimitsOf(broker);
  const pass: Step = async (exchange, next) => {
    const failed = await rates.countAccount(exchange);
    try {
      return await next();
    } catch (error) {
      // One that was not looked at has not failed.
      if (isRefusal(error) && error.code !== 429) await failed?.();
      throw error;
    }
  };
  return stepFor(route => rates.countsAccounts(route), pass);
};
