// Who asks: the user of the access token. A public route ignores the token: an expired one must not keep its owner from
// logging in again.
import type { Meta } from "../../contract/index.ts";
import type { Parts, Step } from "../exchange.ts";

export const identify =
  ({ authenticator }: Parts): Step =>
  async (exchange, next) => {
    const { route, req, address } = exchange;
    if (route.access !== "public") exchange.caller = await authenticator.authenticate(req.headers.authorization);
    // Set before anything is refused: the log names the user of a request that lacks a role.
    const { user, token } = exchange.caller;
    Object.assign(req.$ctx.meta as Meta, { user, address, ...(token !== undefined && { token }) });
    return next();
  };
