// Gives a browser the cookie of the session that its log-in opened, and takes it back at its log-out. The cookie's value goes
// from the service to the header alone: the body of the answer, which scripts can read, has no part of it.
import { stepFor, type Parts, type Step } from "../exchange.ts";
import type { ActionTarget, Route } from "../route/route.ts";

/** A session that was opened, in the answer's meta. */
export const SESSION_OPENED = "session-opened";
export interface SessionOpened {
  /** The value of the cookie. */
  readonly value: string;
  /** Milliseconds since the epoch, at the latest. */
  readonly expiresAt: number;
}

export const keepSession = ({ cookies }: Parts): Step =>
  stepFor(keepsSession, async (exchange, next) => {
    const { route, req, request } = exchange;
    const { for: named } = request.body as { for?: string };
    const name = named === undefined ? cookies.nameOf(req) : cookies.named(named, "for");
    exchange.request = { ...request, session: cookies.valueOf(req, name) };
    const answer = await next();
    if (!answer) return answer;
    const { value, expiresAt } = (req.$ctx.meta as { [SESSION_OPENED]?: SessionOpened })[SESSION_OPENED] ?? {
      value: "",
      expiresAt: 0,
    };
    const cookie =
      (route.target as ActionTarget).session === "open" ? cookies.set(name, value, expiresAt) : cookies.clear(name);
    return { ...answer, headers: { ...answer.headers, "Set-Cookie": cookie } };
  });

const keepsSession = ({ target }: Route): boolean => "action" in target && target.session !== undefined;
