// Hands an event stream to `event-streams.ts`: it writes its own answer, event by event.
import type { Parts, Step } from "../exchange.ts";

export const openStream =
  ({ streams }: Parts): Step =>
  async ({ route, req, res, request, caller, address }, next) => {
    if (!("stream" in route.target)) return next();
    await streams.open(req, res, { source: route.target.stream, request, caller, address, ctx: req.$ctx });
    return undefined;
  };
