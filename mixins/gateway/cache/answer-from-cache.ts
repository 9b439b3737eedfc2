// Answers public reads from the answers that are kept, and drops those that a change through this gateway makes untrue.
// The answer is kept as the action gave it: its version, fields and media type are made for each response.
import type { ServiceBroker } from "moleculer";
import type { Meta } from "../../contract/index.ts";
import { canonicalJson } from "../../kernel/index.ts";
import { ANONYMOUS } from "../auth/authentication.ts";
import { answerOf } from "../call-action.ts";
import { stepFor, type Answer, type Exchange, type Parts, type Step } from "../exchange.ts";
import { limits } from "../limits.ts";
import type { ActionTarget, Request, Route } from "../route/route.ts";
import type { Filled, Found } from "./answer-cache.ts";
import { cacheControlOf, OVERTAKEN, tagHeadersOf, type CachePolicy } from "./cache-policy.ts";

export const answerFromCache = ({ broker, answers }: Parts): Step =>
  stepFor(isCached, async (exchange, next) => {
    const { route, request } = exchange;
    const target = route.target as ActionTarget;
    if (target.invalidates) return changing(target.invalidates, request, next, tags => answers.invalidate(tags));
    const cache = target.cache!;
    const found = await answers.get({
      key: keyOf(exchange),
      lifetimes: cache,
      fill: async () => {
        const answer = await next();
        return answer && filledOf(cache, answer, request);
      },
      refresh: refreshing(broker, target, request),
    });
    if (!found) return undefined;
    exchange.kept = found.entry;
    const headers = { ...found.answer.headers, ...agedHeaders(answers, found), ...(found.isOvertaken && OVERTAKEN) };
    return { ...found.answer, headers };
  });

const isCached = ({ target }: Route): boolean =>
  "action" in target && (target.cache !== undefined || target.invalidates !== undefined);

/** How old the answer is, and whether it was kept: `Age` (RFC 9111, 5.1) and `X-Cache`. */
export const agedHeaders = (
  answers: { ageOf: (entry: NonNullable<Found["entry"]>) => number },
  { entry, outcome }: Pick<Found, "entry" | "outcome">,
): { "X-Cache": string; Age?: string } => ({
  "X-Cache": outcome,
  ...(entry && outcome !== "miss" && { Age: String(answers.ageOf(entry)) }),
});

/** The route, and what its schemas have read: neither spelling nor unknown fields make another answer. */
const keyOf = ({ route, request: { path, query } }: Exchange): string =>
  `${route.method} ${route.url} ${canonicalJson(path)} ${canonicalJson(query)}`;

function filledOf(cache: CachePolicy<any>, answer: Answer, request: Request): Filled {
  const tags = cache.tags(answer.result, request);
  const headers = {
    ...answer.headers,
    "Cache-Control": cacheControlOf(cache),
    ...tagHeadersOf(tags),
  };
  return { answer: { ...answer, headers }, tags, bytes: JSON.stringify(answer.body).length };
}

/**
 * Calls the action on nobody's behalf and for no client: the one that met the stale answer has got it. A function of its
 * own, since it is kept with the answer: as a closure of the step it would keep the request and its connection, too.
 */
function refreshing(broker: ServiceBroker, target: ActionTarget, request: Request): () => Promise<Filled> {
  const meta: Meta = { user: ANONYMOUS };
  return async () => {
    const params = target.params(request);
    const result = await broker.call(target.action, params, { meta, timeout: limits.cacheRefreshMs });
    return filledOf(target.cache!, answerOf(target, result), request);
  };
}

/** Drops what the change makes untrue, also when it failed: its outcome may be unknown. */
async function changing(
  invalidates: NonNullable<ActionTarget["invalidates"]>,
  request: Request,
  next: () => Promise<Answer | undefined>,
  invalidate: (tags: readonly string[]) => void,
): Promise<Answer | undefined> {
  let result: unknown;
  try {
    const answer = await next();
    result = answer?.result;
    return answer;
  } finally {
    invalidate(invalidates(result, request));
  }
}
