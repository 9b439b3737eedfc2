// Hands a stream of events or hints to `event-streams.ts`: it writes its own answer, event by event. A client that prefers hints as
// JSON goes on to the action.
import { refuseConditions } from "../cache/conditions.ts";
import { gatewayErrors } from "../errors.ts";
import { preferred } from "../versions/accept.ts";
import { EVENT_STREAM } from "./stream-answer.ts";
import { stepFor, type Parts, type Step } from "../exchange.ts";
import type { Route } from "../route/route.ts";

export const openStream = ({ streams }: Parts): Step =>
  stepFor(isStream, async ({ route, req, res, request, conditions, caller, address }, next) => {
    const { target } = route;
    const isOfHints = !("stream" in target);
    const type = preferred(req.headers.accept, isOfHints ? [EVENT_STREAM, JSON_TYPE] : [EVENT_STREAM]);
    if (type === JSON_TYPE) return next();
    if (type === undefined)
      throw gatewayErrors.NOT_ACCEPTABLE({ types: isOfHints ? `${EVENT_STREAM} or ${JSON_TYPE}` : EVENT_STREAM });
    // A stream has no version: what holds for any such read.
    if (conditions?.match) refuseConditions({ match: conditions.match });
    const reader = { request, caller, address, ctx: req.$ctx };
    if (isOfHints) await streams.openHints(res, { ...reader, route });
    else await streams.open(req, res, { ...reader, source: target.stream });
    return undefined;
  });

const JSON_TYPE = "application/json";
const isStream = ({ target }: Route): boolean => "stream" in target || target.hints !== undefined;
