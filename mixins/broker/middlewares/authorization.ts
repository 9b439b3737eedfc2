// Checks at the service whether a person may do what the action asks for. A person's call carries `meta.user`: the gateway
// sets it in its own process, and each other node sets it anew from the token that travels with the call (`identity.ts`).
// A call between services carries none and is not restricted. This runs for each call: an action without a permission
// costs nothing.
import type { Middleware } from "moleculer";
import { callErrors, isAllowed, type Permission, type User } from "../../contract/index.ts";

export const authorization: Middleware = {
  name: "Authorization",
  localAction(next: (ctx: any) => Promise<unknown>, action: any) {
    const permission = action.permission as Permission | false | undefined;
    if (permission === undefined) return next;
    return function authorize(ctx: { meta: { user?: User } }) {
      const { user } = ctx.meta;
      if (!user || isAllowed(user, permission)) return next(ctx);
      const asks = permission === false ? "is for services, not for people" : `asks for the permission ${permission}`;
      return Promise.reject(callErrors.FORBIDDEN({ message: `${action.name} ${asks}` }));
    };
  },
};
