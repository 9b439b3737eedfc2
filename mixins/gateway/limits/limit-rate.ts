// The steps that count: wrong credentials before they are checked again, requests by who asks, and requests about one
// account once the body has named it.
import type { IncomingHttpHeaders } from "node:http";
import { isRefusal } from "../../kernel/index.ts";
import { ANONYMOUS } from "../auth/authentication.ts";
import type { Parts, Step } from "../exchange.ts";
import { rateLimitsOf } from "./rate-limits.ts";

/**
 * An address that has sent too many wrong credentials is refused before another one is checked. Tokens that were verified a
 * moment ago pass: people who share the address with a guesser stay logged in.
 */
export const limitFailures = ({ broker, callers }: Parts): Step => {
  const rates = rateLimitsOf(broker);
  return async (exchange, next) => {
    const { route, req, address } = exchange;
    if (route.access === "public" || !hasCredentials(req.headers)) return next();
    rates.refuseGuesser(address, () => callers.remembers(req));
    try {
      return await next();
    } catch (error) {
      const isUnknown = exchange.caller.user === ANONYMOUS;
      if (isUnknown && isRefusal(error) && error.code === 401) await rates.countFailure(address);
      throw error;
    }
  };
};

/** Whether there is something to check: a token, a key, or a cookie of ours. Pages have cookies of others too. */
const hasCredentials = ({ authorization, cookie = "", ...headers }: IncomingHttpHeaders): boolean =>
  authorization !== undefined || headers["x-api-key"] !== undefined || OWN_COOKIE.test(cookie);
const OWN_COOKIE = /(?:^|; ?)(?:__Host-)?valence/;

export const limitRate = ({ broker }: Parts): Step => {
  const rates = rateLimitsOf(broker);
  return async (exchange, next) => {
    await rates.count(exchange);
    return next();
  };
};

export const limitAccount = ({ broker }: Parts): Step => {
  const rates = rateLimitsOf(broker);
  return async (exchange, next) => {
    const succeeded = await rates.countAccount(exchange);
    const answer = await next();
    await succeeded?.();
    return answer;
  };
};
