// Writes the answer, unless the client has left meanwhile.
import type { Step } from "../exchange.ts";
import { send } from "./respond.ts";
import { together } from "./together.ts";

export const sendAnswer =
  (): Step =>
  async ({ res }, next) => {
    const answer = await next();
    if (answer)
      await together(() => {
        if (!res.destroyed) send(res, answer.status, answer.body, answer.headers);
      });
    return undefined;
  };
