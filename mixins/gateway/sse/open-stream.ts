// Hands an event stream to `event-streams.ts`: it writes its own answer, event by event.
import { refuseConditions } from "../cache/conditions.ts";
import { gatewayErrors } from "../errors.ts";
import { preferred } from "../versions/accept.ts";
import { EVENT_STREAM } from "./event-streams.ts";
import { stepFor, type Parts, type Step } from "../exchange.ts";
import type { Route } from "../route/route.ts";

export const openStream = ({ streams }: Parts): Step =>
  stepFor(isStream, async ({ route, req, res, request, conditions, caller, address }) => {
    if (preferred(req.headers.accept, [EVENT_STREAM]) === undefined)
      throw gatewayErrors.NOT_ACCEPTABLE({ types: EVENT_STREAM });
    // A stream has no version: what holds for any such read.
    if (conditions?.match) refuseConditions({ match: conditions.match });
    await streams.open(req, res, { source: (route.target as Stream).stream, request, caller, address, ctx: req.$ctx });
    return undefined;
  });

type Stream = Extract<Route["target"], { readonly stream: unknown }>;
const isStream = ({ target }: Route): boolean => "stream" in target;
