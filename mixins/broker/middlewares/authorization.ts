// Checks roles at the service. A person's request carries `meta.user`, which the gateway sets, with no roles for a
// person who is not logged in. A call between services carries none and is not restricted.
import type { Middleware } from "moleculer";
import { callErrors } from "../../contract/index.ts";

export const authorization: Middleware = {
  name: "Authorization",
  localAction(next: (ctx: any) => Promise<unknown>, action: any) {
    const roles = action.roles as readonly string[] | undefined;
    if (!roles) return next;
    return function authorize(ctx: { meta: { user?: { roles?: readonly string[] } } }) {
      const user = ctx.meta.user;
      if (user && !roles.some(role => user.roles?.includes(role)))
        return Promise.reject(
          callErrors.FORBIDDEN({ message: `${action.name} asks for the role ${roles.join(" or ")}` }),
        );
      return next(ctx);
    };
  },
};
