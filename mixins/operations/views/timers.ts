// Durable timers of all actors, in the order in which they are tried next.
import { compare, hasActor, limits, listFrom, meant, servicesWith, shown, text, type Answer } from "../asking.ts";
import { pageOf } from "../pages.ts";
import type { Ctx } from "./context.ts";

const nextAt = (timer: Answer): string => text(timer["nextAt"]);

export async function timers(ctx: Ctx<"timers">) {
  const { service: only, limit = limits.page, cursor } = ctx.params;
  const { entries, ...next } = await pageOf({
    list: `timers${only === undefined ? "" : ` of ${only}`}`,
    limit,
    cursor,
    services: meant(servicesWith(ctx.broker, hasActor), only, "actors"),
    read: (service, limit, after) =>
      listFrom(ctx, service, "timers", "timers", { limit, ...(after !== undefined && { after }) }),
    sort: (a, b) => compare(nextAt(a), nextAt(b)),
    key: timer => `${nextAt(timer)} ${text(timer["id"])}`,
  });
  return { ...shown(ctx, { timers: entries }), ...next };
}
