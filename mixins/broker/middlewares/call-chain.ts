// Passes the chain of waiting actors on to nested calls, also through plain actions. Calls do not inherit headers. They
// inherit meta, but there a command's own headers would reach calls that are other commands.
import type { Middleware } from "moleculer";
import { CALL_CHAIN } from "../../kernel/index.ts";

interface Options {
  headers?: Record<string, string>;
  parentCtx?: { headers?: Record<string, string> };
}

export const callChain: Middleware = {
  name: "CallChain",
  call(next: any): any {
    return function handOn(action: string, params: unknown, options: Options = {}) {
      const chain = options.parentCtx?.headers?.[CALL_CHAIN];
      if (chain !== undefined && options.headers?.[CALL_CHAIN] === undefined)
        return next(action, params, { ...options, headers: { ...options.headers, [CALL_CHAIN]: chain } });
      return next(action, params, options);
    };
  },
};
