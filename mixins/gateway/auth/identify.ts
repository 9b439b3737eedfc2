// Finds the user of the credential, and the token that says so to every service behind the gateway. A public route
// ignores the credential: an expired one must not keep its owner from logging in again.
import type { Meta } from "../../contract/index.ts";
import type { Parts, Step } from "../exchange.ts";
import { limits } from "../limits.ts";

export const identify =
  ({ callers, crossSite }: Parts): Step =>
  async (exchange, next) => {
    const { route, req, address } = exchange;
    const meta = req.$ctx.meta as Meta;
    if ("action" in route.target && route.target.session !== undefined) crossSite.refuse(req);
    if (route.access !== "public") exchange.caller = await callers.identify(req);
    const { user, token } = exchange.caller;
    // Set before anything is refused: the log names the user of a request that lacks a role.
    Object.assign(meta, { user, address, ...(token !== undefined && { token }) });
    // A log-in is public: its session is told apart by the device. Other calls need not carry it along.
    const userAgent = req.headers["user-agent"];
    if (route.access === "public" && userAgent !== undefined)
      meta.userAgent = userAgent.slice(0, limits.userAgentCharsMax);
    return next();
  };
