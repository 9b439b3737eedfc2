// The services behind the fulfilment saga, on a real broker and real databases in a folder. Each effect outside leaves
// a file, which survives a kill and shows how often the effect happened.
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { ServiceBroker, type Context } from "moleculer";
import { brokerOptions } from "../broker/index.ts";
import type { Databases } from "../testing/servers.ts";
import { COMMAND_ID, readEnvironment, Refusal, Unavailable } from "../kernel/index.ts";
import { defineService } from "../contract/index.ts";
import { defineActor } from "../actor/index.ts";
import { Actors } from "../actor/mixin.ts";
import { Fulfilment, outside, shelves, wishes } from "./fulfilment.fixture.ts";
import { Sagas, type SagaDetail, type SagaOptions } from "./mixin.ts";

const Wish = defineActor(wishes)({
  initial: () => ({}),
  decide: {
    make: (state, { lines, card }, { refuse }) => {
      if (state.status !== undefined) throw refuse("WISH_EXISTS");
      return [wishes.event("wish.made", { lines: [...lines], card })];
    },
    cancel: () => [wishes.event("wish.cancelled", {})],
    book: (state, _, { refuse }) => {
      if (state.status === "cancelled") throw refuse("WISH_CANCELLED");
      return state.status === "booked" ? [] : [wishes.event("wish.booked", {})];
    },
    fail: (_, { reason }) => [wishes.event("wish.failed", { reason })],
  },
  evolve: {
    "wish.made": state => ({ ...state, status: "made" }),
    "wish.cancelled": state => ({ ...state, status: "cancelled" }),
    "wish.booked": state => ({ ...state, status: "booked" }),
    "wish.failed": (_, { reason }) => ({ status: "failed", reason }),
  },
});

const Shelf = defineActor(shelves)({
  initial: () => ({ parts: 0, taken: {} }),
  decide: {
    fill: (_, { quantity }) => [shelves.event("shelf.filled", { quantity })],
    take: (state, { wish, quantity }, { refuse }) => {
      if (quantity > state.parts) throw refuse("NOT_ENOUGH_PARTS");
      return [shelves.event("shelf.taken", { wish, quantity })];
    },
    giveBack: (state, { wish, quantity }) =>
      state.taken[wish] === undefined ? [] : [shelves.event("shelf.given_back", { wish, quantity })],
    sweep: (state, { wish }) => {
      const quantity = state.taken[wish];
      return quantity === undefined ? [] : [shelves.event("shelf.given_back", { wish, quantity })];
    },
  },
  evolve: {
    "shelf.filled": (state, { quantity }) => ({ ...state, parts: state.parts + quantity }),
    "shelf.taken": (state, { wish, quantity }) => ({
      parts: state.parts - quantity,
      taken: { ...state.taken, [wish]: (state.taken[wish] ?? 0) + quantity },
    }),
    "shelf.given_back": (state, { wish, quantity }) => {
      const { [wish]: _taken, ...taken } = state.taken;
      return { parts: state.parts + quantity, taken };
    },
  },
});

/** A test's interference with a call of `outside`; answers whether the call goes on. */
export type World = (action: "charge" | "reverse" | "send", wish: string, commandId: string) => Promise<void> | void;

/** Everything that was called outside, and under which command id. */
export interface Fulfilling {
  readonly broker: ServiceBroker;
  readonly calls: { action: string; wish: string; commandId: string }[];
  /** Makes a wish and answers when its saga rests: ended, or stuck. */
  readonly wish: (
    id: string,
    options?: { card?: string; lines?: { shelf: string; quantity: number }[] },
  ) => Promise<SagaDetail>;
  readonly saga: (id: string) => Promise<SagaDetail>;
  readonly rests: (id: string) => Promise<SagaDetail>;
  readonly parts: (shelf: string) => Promise<number>;
  /** Wishes with this effect, in the folder. */
  readonly happened: (effect: "charge" | "reverse" | "send") => string[];
}

export async function startFulfilment(
  { folder, env }: Pick<Databases, "folder" | "env">,
  {
    world = () => {},
    limits = {},
    middlewares = [],
    broker: own = {},
  }: {
    world?: World;
    limits?: SagaOptions["limits"];
    middlewares?: object[];
    /** Options of the broker, for several that find each other. */
    broker?: object;
  } = {},
): Promise<Fulfilling> {
  const environment = readEnvironment({ ...env, SHUTDOWN_TIMEOUT_MS: "1000" });
  const options = brokerOptions(environment);
  const broker = new ServiceBroker({
    ...options,
    middlewares: [...(options.middlewares ?? []), ...middlewares],
    logger: false,
    skipProcessEventRegistration: true,
    ...own,
  });
  const calls: Fulfilling["calls"] = [];
  const effect = (name: string, wish: string) => `${folder}/${name}.${wish}`;
  const answer = async (ctx: object, action: "charge" | "reverse" | "send", wish: string): Promise<void> => {
    const commandId = (ctx as Context & { headers: Record<string, string> }).headers[COMMAND_ID]!;
    calls.push({ action, wish, commandId });
    await world(action, wish, commandId);
  };
  broker.createService(defineService(wishes, { mixins: [Actors(Wish)] }));
  broker.createService(defineService(shelves, { mixins: [Actors(Shelf)] }));
  broker.createService(
    defineService(outside, {
      actions: {
        charge: async ctx => {
          const { wish, card } = ctx.params;
          await answer(ctx, "charge", wish);
          if (card === "bad" || existsSync(effect("reverse", wish))) throw new Refusal("CARD_DECLINED");
          writeFileSync(effect("charge", wish), "");
          return { chargeId: `p-${wish}` };
        },
        // A tombstone: it counts also for a charge that has not arrived yet.
        reverse: async ctx => {
          await answer(ctx, "reverse", ctx.params.wish);
          writeFileSync(effect("reverse", ctx.params.wish), "");
          return {};
        },
        send: async ctx => {
          await answer(ctx, "send", ctx.params.wish);
          writeFileSync(effect("send", ctx.params.wish), "", { flag: "a" });
          return {};
        },
      },
    }),
  );
  broker.createService({ name: "fulfilments", mixins: [Sagas(Fulfilment, { limits })] });
  await broker.start();

  const saga = (id: string) => broker.call<SagaDetail, { id: string }>("fulfilments.saga", { id });
  const rests = async (id: string): Promise<SagaDetail> => {
    for (const deadline = Date.now() + 15_000; ; await pause(20)) {
      const found = await saga(id).catch((error: { type: string }) => error);
      if ("state" in found && ["completed", "compensated", "stuck"].includes(found.state)) return found;
      if (Date.now() > deadline) throw new Error(`saga ${id} does not rest: ${JSON.stringify(found)}`);
    }
  };
  return {
    broker,
    calls,
    saga,
    rests,
    async wish(
      id,
      {
        card = "good",
        lines = [
          { shelf: "bolts", quantity: 2 },
          { shelf: "nuts", quantity: 3 },
        ],
      } = {},
    ) {
      await broker.call("wishes.make", { id, card, lines });
      return rests(id);
    },
    async parts(shelf) {
      // Another node without a connection to this one may have changed it a moment ago.
      const params = { id: shelf, consistent: true };
      const { state } = await broker.call<{ state: { parts: number } }, object>("shelves.get", params);
      return state.parts;
    },
    happened: effect =>
      readdirSync(folder)
        .filter(name => name.startsWith(`${effect}.`))
        .map(name => name.slice(effect.length + 1))
        .sort(),
  };
}

/** An answer that got lost on its way. */
export const lost = (): never => {
  throw new Unavailable("LOST", { outcome: "unknown" });
};
