// Passes the chain of waiting actors, and whether the client is impatient, on to nested calls, also through plain actions. Calls do not inherit headers. They
// inherit meta, but there a command's own headers would reach calls that are other commands.
import type { Middleware } from "moleculer";
import { CALL_CHAIN, IMPATIENT } from "../../kernel/index.ts";

interface Options {
  headers?: Record<string, string>;
  parentCtx?: { headers?: Record<string, string> };
}

export const callChain: Middleware = {
  name: "CallChain",
  call(next: any): any {
    return function handOn(action: string, params: unknown, options: Options = {}) {
      const inherited = options.parentCtx?.headers;
      const chain = inherited?.[CALL_CHAIN];
      const impatient = inherited?.[IMPATIENT];
      if (chain === undefined && impatient === undefined) return next(action, params, options);
      const headers = {
        ...(chain !== undefined && { [CALL_CHAIN]: chain }),
        ...(impatient !== undefined && { [IMPATIENT]: impatient }),
        ...options.headers,
      };
      return next(action, params, { ...options, headers });
    };
  },
};
