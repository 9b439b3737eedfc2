// All pages of an action's lines as one answer of NDJSON. The next page is asked for when the client has taken the one before:
// memory holds one page, and a client that has left is read for no longer. The action decides at each page whether its caller may
// ask. A page that cannot be read cuts the connection, so that nobody takes what was sent for all of it.
import { systemClock } from "../../kernel/index.ts";
import { pathOf, TextParts } from "../../http/siblings.ts";
import { CallerWatch } from "../sse/caller-watch.ts";
import type { Answer, Exchange } from "../exchange.ts";
import type { ActionTarget } from "../route/route.ts";
import { fileNameOf } from "./csv.ts";

export const NDJSON = "application/x-ndjson";

/** An answer that an action gives by pages. */
interface Page {
  readonly nextCursor?: string;
  readonly [field: string]: unknown;
}

/** Body and header fields of the answer whose first page this is. */
export function allPages(exchange: Exchange, target: ActionTarget, first: unknown): Pick<Answer, "body" | "headers"> {
  return {
    headers: {
      "Content-Type": NDJSON,
      "Content-Disposition": `attachment; filename="${fileNameOf(pathOf(exchange.req), "ndjson")}"`,
      "X-Accel-Buffering": "no",
    },
    body: new TextParts(pages(exchange, target, first as Page)),
  };
}

async function* pages(
  { caller, req: { $ctx: ctx }, res, request }: Exchange,
  { action, lines, params }: ActionTarget,
  first: Page,
): AsyncGenerator<string> {
  const watch = new CallerWatch(caller, { clock: systemClock, meta: ctx.meta, end: () => res.destroy() });
  try {
    for (let page = first; ;) {
      yield (page[lines!] as readonly string[]).map(line => `${line}\n`).join("");
      const { nextCursor: cursor } = page;
      if (cursor === undefined) return;
      page = await ctx.call<Page, object>(action, { ...params(request), cursor });
    }
  } finally {
    watch.stop();
  }
}
