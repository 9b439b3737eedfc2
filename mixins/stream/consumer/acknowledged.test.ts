import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { ServiceBroker, type Context } from "moleculer";
import type { Subscriber } from "./subscribers.ts";
import { releasedByAll, type Held, type AcknowledgedQuery } from "./acknowledged.ts";

let broker: ServiceBroker;
const asked: number[] = [];
const all = ({ params }: Context<AcknowledgedQuery>) => {
  asked.push(params.streams.length);
  return { ids: params.streams.map(({ id }) => id) };
};

beforeEach(async () => {
  asked.length = 0;
  broker = new ServiceBroker({ logger: false, skipProcessEventRegistration: true });
  broker.createService({ name: "readers", actions: { taken: all } });
  broker.createService({
    name: "behind",
    actions: { taken: (ctx: Context<AcknowledgedQuery>) => ({ ids: all(ctx).ids.filter(id => id !== "b") }) },
  });
  broker.createService({
    name: "sagas",
    actions: {
      taken: all,
      held: ({ params }: Context<Held>) => ({ ids: params.ids.filter(id => id === "c") }),
    },
  });
  // A service of the release before: it has sagas, and no action that tells what they need.
  broker.createService({ name: "older", actions: { taken: all } });
  await broker.start();
});
afterEach(() => broker.stop());

const here = (service: string, hasSagas = false): Subscriber => ({ service, isAvailable: true, hasSagas });
const release = (subscribers: Subscriber[], ids = ["a", "b", "c"]) =>
  releasedByAll(broker, { source: "loans", streams: ids.map(id => ({ id, version: 1 })) }, subscribers);

test("P4 a stream that all consumers have handled and no open saga may call is released; the others stay, with the reason", async () => {
  expect(await release([here("readers"), here("behind"), here("sagas", true)])).toEqual({
    ids: new Set(["a"]),
    kept: [
      { reason: "behind has not taken all of their events", streams: 1 },
      { reason: "open sagas of sagas may call them", streams: 1 },
    ],
  });
});

test("P5 a service that is away, or has no action that tells what it needs, keeps all streams that are left", async () => {
  const away = { service: "gone", isAvailable: false, hasSagas: false };
  expect(await release([here("behind"), away])).toEqual({
    ids: new Set(),
    kept: [
      { reason: "behind has not taken all of their events", streams: 1 },
      { reason: "gone is away and may still need them", streams: 2 },
    ],
  });
  expect((await release([here("older", true)])).kept).toEqual([
    { reason: "older does not tell its needs: SERVICE_NOT_FOUND", streams: 3 },
  ]);
});

test("asks about a thousand streams at a time, so that a question fits into a message", async () => {
  const ids = Array.from({ length: 2_500 }, (_, i) => `${i}`);
  expect((await release([here("readers")], ids)).ids.size).toBe(2_500);
  expect(asked).toEqual([1_000, 1_000, 500]);
});
