// The databases of all event stores, with how much is in them.
import { ask, askEach, by, hasActor, hasSagas, limits, servicesWith, type Answer } from "../asking.ts";
import { pageIn } from "../pages.ts";
import type { Ctx } from "./context.ts";

export async function shards(ctx: Ctx<"shards">) {
  const { limit = limits.page, cursor } = ctx.params;
  const services = servicesWith(ctx.broker, metadata => hasActor(metadata) || hasSagas(metadata));
  const { answers, silent } = await askEach(services, (service, options) =>
    ask<{ shards: Answer[] }>(ctx, service, "shards", {}, options),
  );
  const all = answers.flatMap(({ service, answer }) => answer.shards.map((shard): Answer => ({ service, ...shard })));
  const { entries, ...next } = pageIn(all, { list: "shards", limit, cursor, key: [by("service"), by("shard")] });
  return { shards: entries, silent, ...next };
}
