// Records what people do by a service's actions, as events in a log of the service's own, which the audit reads like any other.
// The events lie in the service's database: an audit that is away holds nobody up and loses nothing.
//
// An act that changes what others have is recorded before it is done and after: where the process ends half-way, the first
// event is there. A record that cannot be written is an error of the action: nothing is done that nobody would know of.
import type { Context as MoleculerContext, Service, ServiceSchema } from "moleculer";
import { ACT_EVENTS } from "./act-events.ts";
import { defineActor } from "../actor/index.ts";
import { executeOptionsOf, Recording, type ActorHost } from "../actor/mixin.ts";
import { defineContract, type Meta } from "../contract/index.ts";
import { isRefusal, newId, plainError } from "../kernel/index.ts";

type Ctx = MoleculerContext<any, Meta>;
type Recorded = Service & { readonly actors: ActorHost };
type Handler = (this: Recorded, ctx: Ctx) => unknown;

/** How one action is recorded. */
export interface Act {
  /** Whether it is recorded before it is done as well. */
  readonly isAnnounced?: boolean;
  /** Id of the stream: of what is acted on. Without an `answer` before the action is done, or when it refused. Default: a new id. */
  readonly subject?: (ctx: Ctx, answer: any) => string | undefined;
  /** The person who acted, where the request itself names nobody: a log-in. */
  readonly person?: (answer: any) => string;
  /** The part of the request that is recorded. Default: nothing; passwords and tokens stay out of it. */
  readonly details?: (params: any, answer: any) => Readonly<Record<string, unknown>>;
}

/** Stream of acts whose subject nobody knows: a log-in that was refused. */
const NOBODY = "unknown";

/** The actor whose events are `<name>.requested` and `<name>.answered`. It has no state. */
export function actsOf(name: string) {
  const contract = defineContract({
    service: `${name}-acts`,
    actor: name,
    state: {},
    commands: { request: ACT_EVENTS.requested, answer: ACT_EVENTS.answered },
    events: { [`${name}.requested`]: ACT_EVENTS.requested, [`${name}.answered`]: ACT_EVENTS.answered },
  });
  const { event } = contract as { event: (type: string, data: any) => any };
  return defineActor(contract)({
    initial: () => ({}),
    decide: {
      request: (_state: unknown, data: unknown) => [event(`${name}.requested`, data)],
      answer: (_state: unknown, data: unknown) => [event(`${name}.answered`, data)],
    },
    evolve: Object.fromEntries(Object.keys(contract.events).map(type => [type, (state: object) => state])),
  });
}

/** The service's schema, with these of its actions recorded as acts on `<name>.<subject>`. */
export function recordingActs(schema: ServiceSchema, name: string, acts: Readonly<Record<string, Act>>): ServiceSchema {
  const actions = { ...schema.actions } as Record<string, Handler | { handler: Handler }>;
  for (const [action, act] of Object.entries(acts)) {
    const given = actions[action]!;
    const { handler, ...rest } = typeof given === "function" ? { handler: given } : given;
    actions[action] = {
      ...rest,
      handler(this: Recorded, ctx: Ctx) {
        return recorded(this.actors, action, act, ctx, async () => handler.call(this, ctx));
      },
    };
  }
  return { ...schema, mixins: [...(schema.mixins ?? []), Recording(actsOf(name))], actions } as ServiceSchema;
}

async function recorded(
  log: ActorHost,
  action: string,
  { isAnnounced = false, subject = () => newId(), person, details }: Act,
  ctx: Ctx,
  act: () => Promise<unknown>,
): Promise<unknown> {
  const first = isAnnounced ? (subject(ctx, undefined) ?? NOBODY) : undefined;
  const record = (kind: "request" | "answer", data: object, answer?: unknown): Promise<unknown> => {
    const { metadata = {} } = executeOptionsOf(ctx);
    const told = details?.(ctx.params, answer);
    const who = person && answer !== undefined ? { user: person(answer) } : {};
    const id = first ?? subject(ctx, answer) ?? NOBODY;
    const params = { action, ...data, ...(told && { details: told }) };
    return log.execute(id, kind, params, { metadata: { ...metadata, ...who } });
  };
  if (isAnnounced) await record("request", {});
  let answer: unknown;
  try {
    answer = await act();
  } catch (error) {
    // Too many of them would fill the log at the will of whoever tries passwords.
    const isNoise = !isAnnounced && (!isRefusal(error) || error.code === 429);
    const outcome = isRefusal(error) ? "refused" : "failed";
    if (!isNoise) await record("answer", { outcome, error: plainError(error).type });
    throw error;
  }
  await record("answer", { outcome: "done" }, answer);
  return answer;
}
