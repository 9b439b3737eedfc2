// Hands an event stream to `event-streams.ts`: it writes its own answer, event by event.
import { refuseConditions } from "../cache/conditions.ts";
import { gatewayErrors } from "../errors.ts";
import { preferred } from "../versions/accept.ts";
import { EVENT_STREAM } from "./event-streams.ts";
import type { Parts, Step } from "../exchange.ts";

export const openStream =
  ({ streams }: Parts): Step =>
  async ({ route, req, res, request, conditions, caller, address }, next) => {
    if (!("stream" in route.target)) return next();
    if (preferred(req.headers.accept, [EVENT_STREAM]) === undefined)
      throw gatewayErrors.NOT_ACCEPTABLE({ types: EVENT_STREAM });
    // A stream has no version: what holds for any such read.
    if (conditions?.match) refuseConditions({ match: conditions.match });
    await streams.open(req, res, { source: route.target.stream, request, caller, address, ctx: req.$ctx });
    return undefined;
  };
