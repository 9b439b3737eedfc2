// The counter as a Restate virtual object, behind its server.
import * as restate from "@restatedev/restate-sdk";
import { task, tell } from "../contender.ts";

const { port } = task() as { port: number };
const counter = restate.object({
  name: "counter",
  handlers: {
    add: async (ctx: restate.ObjectContext, { by }: { by: number }) => {
      const count = ((await ctx.get<number>("count")) ?? 0) + by;
      ctx.set("count", count);
      return { count };
    },
  },
});
tell({ ready: await restate.serve({ services: [counter], port }) });
