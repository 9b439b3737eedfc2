// Finds the user of the credential, and the token that says so to every service behind the gateway. A public route
// ignores the credential: an expired one must not keep its owner from logging in again.
import type { Meta } from "../../contract/index.ts";
import type { Exchange, Parts, Step } from "../exchange.ts";
import type { Verified } from "./authentication.ts";
import { limits } from "../limits.ts";

export const identify =
  ({ callers, crossSite }: Parts): Step =>
  (exchange, next) => {
    const { route, req } = exchange;
    if ("action" in route.target && route.target.session !== undefined) crossSite.refuse(req);
    const caller = route.access === "public" ? exchange.caller : callers.identify(req);
    if (caller instanceof Promise)
      return caller.then(verified => {
        note(exchange, verified);
        return next();
      });
    note(exchange, caller);
    return next();
  };

/** Before anything is refused: the log names the user of a request that lacks a role. */
function note(exchange: Exchange, caller: Verified): void {
  const { route, req, address } = exchange;
  exchange.caller = caller;
  const { user, token } = caller;
  const meta = req.$ctx.meta as Meta;
  meta.user = user;
  meta.address = address;
  if (token !== undefined) meta.token = token;
  // A log-in is public: its session is told apart by the device. Other calls need not carry it along.
  const userAgent = req.headers["user-agent"];
  if (route.access === "public" && userAgent !== undefined)
    meta.userAgent = userAgent.slice(0, limits.userAgentCharsMax);
}
