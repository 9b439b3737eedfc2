// Dead letters of all services: the list, counts, and the ways back to work or out of the way, one by one or by group.
import type { Context, ParamsOf } from "../contract/index.ts";
import { contentBytesMax } from "../kernel/index.ts";
import { streamErrors } from "../stream/index.ts";
import {
  ask,
  askEach,
  hasConsumers,
  hasIngresses,
  invalid,
  limits,
  meant,
  MINUTE_MS,
  oneOfAfterAndCursor,
  SERVICE_MS,
  servicesWith,
  shown,
  type Answer,
} from "./asking.ts";
import { operationErrors } from "./errors.ts";
import { pageOf, type Entry } from "./pages.ts";

type Ctx<A extends keyof Contracts["ops"]["actions"]> = Context<ParamsOf<`ops.${A}`>>;

export const letterOperations = {
  async deadLetters(ctx: Ctx<"deadLetters">) {
    const { service: only, consumer, error, limit = limits.page, after, cursor } = ctx.params;
    oneOfAfterAndCursor(ctx.params);
    if (after !== undefined && only === undefined)
      throw operationErrors.AFTER_NEEDS_SERVICE({
        field: "service",
        message: "is required with after: each service counts its own",
      });
    const services = meant(servicesWith(ctx.broker, hasConsumers), only, "consumers");
    const filter = { ...(consumer !== undefined && { consumer }), ...(error !== undefined && { error }) };
    const first = after?.slice(after.indexOf(":") + 1);
    const { entries, silent, ...next } = await pageOf({
      list: ["dead letters", ...(only === undefined ? [] : ["of", only]), ...Object.values(filter)].join(" "),
      limit,
      // Each service bounds its own answer; those of all together are one answer of this one.
      bytesMax: contentBytesMax(ctx.broker),
      cursor,
      services,
      async read(service, limit, seen = first) {
        const params = { ...filter, limit, ...(seen !== undefined && { after: seen }) };
        const options = { timeout: SERVICE_MS };
        const found = await ask<Found>(ctx, service, "deadLetters", params, options);
        return {
          entries: found.deadLetters.map((letter): Entry => ({ ...letter, service })),
          searchedTo: found.searchedTo,
        };
      },
    });
    const deadLetters = entries.map(letter => ({ ...letter, id: `${letter.service}:${String(letter["id"])}` }));
    return { ...shown(ctx, { deadLetters }), silent, ...(after === undefined && next) };
  },

  async deadLetterCounts(ctx: Ctx<"deadLetterCounts">) {
    const services = meant(servicesWith(ctx.broker, hasConsumers), ctx.params.service, "consumers");
    const { answers, silent } = await askEach(services, (service, options) =>
      ask<{ counts: Count[]; isPartial: boolean }>(ctx, service, "deadLetterCounts", {}, options),
    );
    const counts = answers.flatMap(({ service, answer }) =>
      answer.counts.map(count => ({ service, ...count, newestId: `${service}:${count.newestId}` })),
    );
    return {
      counts: counts.sort((a, b) => b.streams - a.streams),
      isPartial: answers.some(({ answer }) => answer.isPartial),
      silent,
    };
  },

  async retryDeadLetters(ctx: Ctx<"retryDeadLetters">) {
    const { services, group } = groupOf(ctx, servicesWith(ctx.broker, hasConsumers));
    type Retried = { retried: { streams: number }[] };
    const { answers, silent } = await askEach(services, service =>
      ask<Retried>(ctx, service, "retryDeadLetters", group),
    );
    const retried = answers.flatMap(({ service, answer }) =>
      answer.retried.map((one): Answer & { streams: number } => ({ ...one, service })),
    );
    const streams = retried.reduce((sum, { streams }) => sum + streams, 0);
    return { ...(group.dryRun === true && { dryRun: true }), streams, retried, silent };
  },

  async discardDeadLetters(ctx: Ctx<"discardDeadLetters">) {
    const { services, group } = groupOf(ctx, servicesWith(ctx.broker, hasIngresses));
    type Discarded = { discarded: { letters: number }[]; hasMore: boolean };
    const { answers, silent } = await askEach(services, service =>
      ask<Discarded>(ctx, service, "discardDeadLetters", group),
    );
    const discarded = answers.flatMap(({ service, answer }) =>
      answer.discarded.map((one): Answer & { letters: number } => ({ ...one, service })),
    );
    return {
      dryRun: group.dryRun === true,
      letters: discarded.reduce((sum, { letters }) => sum + letters, 0),
      discarded,
      hasMore: answers.some(({ answer }) => answer.hasMore),
      silent,
    };
  },

  retryDeadLetter: (ctx: Ctx<"retryDeadLetter">) => askLetter(ctx, "retryDeadLetter", hasConsumers),

  async discardDeadLetter(ctx: Ctx<"discardDeadLetter">) {
    const { id } = ctx.params;
    const [service = ""] = id.split(":");
    // A service without ingresses has letters of logs alone.
    const isOfLog = !servicesWith(ctx.broker, hasIngresses).includes(service);
    if (isOfLog && servicesWith(ctx.broker, hasConsumers).includes(service))
      throw streamErrors.DEAD_LETTER_OF_LOG({ field: "id", id });
    return askLetter(ctx, "discardDeadLetter", hasIngresses);
  },
};

interface Found {
  readonly deadLetters: Answer[];
  readonly searchedTo?: string;
}
interface Count {
  readonly consumer: string;
  readonly error: string;
  readonly message: string;
  readonly streams: number;
  readonly letters: number;
  readonly oldest: string;
  readonly newest: string;
  readonly newestId: string;
}

/** The services that are meant, and the group as they take it. */
function groupOf({ params }: Ctx<"retryDeadLetters">, services: readonly string[]) {
  const { service: only, olderThanMinutes, note: _noted, ...narrow } = params;
  if (only !== undefined && !services.includes(only))
    throw invalid("service", "no service of this name has such letters");
  const group = {
    ...narrow,
    ...(olderThanMinutes !== undefined && { olderThanMs: Math.round(olderThanMinutes * MINUTE_MS) }),
  };
  return { services: only === undefined ? services : [only], group };
}

/** Asks the service of a dead letter, `<service>:<id>`. */
async function askLetter(
  ctx: Context<{ id: string }>,
  action: string,
  has: Parameters<typeof servicesWith>[1],
): Promise<Answer> {
  const [service = "", ...rest] = ctx.params.id.split(":");
  const known = servicesWith(ctx.broker, has).includes(service);
  if (!known || rest.length === 0)
    throw streamErrors.DEAD_LETTER_NOT_FOUND({ field: "id", message: "ids look like <service>:<id>" });
  return { ...(await ask(ctx, service, action, { id: rest.join(":") })), service, id: ctx.params.id };
}
