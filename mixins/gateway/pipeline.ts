// The way of one request of one route, from the router to the answer; `admission/enter.ts`, before the router, gives it a turn. Each step stands for one concern, and may refuse,
// answer, or pass on and change the answer on its way back; so the first step is the last that sees an answer. Errors
// leave as they are thrown; `gateway.ts` turns them into problems.
import type { ServerResponse } from "node:http";
import { setDeadline } from "./admission/deadline.ts";
import { takePlace } from "./admission/take-place.ts";
import { ANONYMOUS } from "./auth/authentication.ts";
import { authorize } from "./auth/authorize.ts";
import { identify } from "./auth/identify.ts";
import { keepSession } from "./auth/keep-session.ts";
import { answerFromCache } from "./cache/answer-from-cache.ts";
import { validate } from "./cache/validate.ts";
import { callAction } from "./call-action.ts";
import type { Answer, Exchange, GatewayRequest, Parts, Step } from "./exchange.ts";
import { sendAnswer } from "./http/send-answer.ts";
import { answerOnce } from "./idempotency/answer-once.ts";
import { limitAccount, limitFailures, limitRate } from "./limits/limit-rate.ts";
import { readRequest } from "./route/read-request.ts";
import type { Request, Route } from "./route/route.ts";
import { traceSteps } from "./observability/request-spans.ts";
import { tellTimes } from "./observability/server-timing.ts";
import { openStream } from "./sse/open-stream.ts";
import { announceSuccessor } from "./versions/announce.ts";
import { represent } from "./versions/represent.ts";

export const pipelineOf = (parts: Parts): readonly Step[] => [
  traceSteps(sendAnswer(parts), STEPS), // writes the answer; the response of a cached route is kept for the next request
  announceSuccessor(), //    a version that has a successor says so on every answer
  tellTimes(STEPS), //       for administrators: where the time went
  setDeadline(parts), //     the time that the client gives is the time of every call behind it
  limitFailures(parts), //   an address that guesses credentials is refused before one is checked
  identify(parts), //        who asks; before a byte of the body is read
  limitRate(parts), //       how often they may ask
  authorize(parts), //       whether they may ask for this
  readRequest(), //          conditions, key, body, then path, query and body by the route's schemas
  limitAccount(parts), //    how often an account may be tried, once the body has named it
  openStream(parts), //      an event stream leaves here: it has limits of its own
  validate(), //             entity tags; 304 and 412 for reads
  represent(parts), //       the version, the fields and the media type that the client asks for
  answerFromCache(parts), // public reads; a change drops what it makes untrue
  answerOnce(parts), //      a repeated Idempotency-Key gets the first answer
  takePlace(parts), //       a place among the calls at work; a client that has left by then gets no call
  keepSession(parts), //     a page's log-in gets a cookie, its log-out takes it back
  callAction(), //           the action, under the command id that follows from the client's key
];

/** The steps' names, in their order. */
export const STEPS: readonly string[] =
  "send successor time deadline failures identify limit authorize read account stream validate represent cache once place session action".split(
    " ",
  );

/** Answers a request of this route: passes it through the steps that the route has. */
export function passThrough(
  steps: readonly Step[],
  route: Route,
  { req, res, address }: { req: GatewayRequest; res: ServerResponse; address: string },
): Promise<unknown> {
  const exchange: Exchange = {
    route,
    req,
    res,
    address,
    caller: { user: ANONYMOUS, expiresAt: Infinity },
    request: NOTHING_READ,
    conditions: undefined,
    marks: [],
  };
  const own = stepsOf(route, steps);
  const from = (i: number): Promise<Answer | undefined> => {
    const at = own[i]!;
    exchange.marks.push({ at, began: performance.now() });
    try {
      return steps[at]!(exchange, () => from(i + 1));
    } catch (error) {
      // A step that throws at once is handled by those before it as one that rejects.
      return Promise.reject(error);
    }
  };
  return from(0);
}

/** The indexes of the steps that a route has, found at its first request: a third of all have nothing to do for most routes. */
function stepsOf(route: Route, steps: readonly Step[]): readonly number[] {
  let routes = known.get(steps);
  if (!routes) known.set(steps, (routes = new Map()));
  let own = routes.get(route);
  if (!own) {
    own = [...steps.keys()].filter(at => steps[at]!.isFor?.(route) ?? true);
    routes.set(route, own);
  }
  return own;
}
const known = new WeakMap<readonly Step[], Map<Route, readonly number[]>>();

const NOTHING_READ: Request = { path: {}, query: {}, body: {}, user: ANONYMOUS, conditions: {}, key: undefined };
