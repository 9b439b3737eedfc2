// The spans of plain events, as a collector gets them.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { ServiceBroker, type Context } from "moleculer";
import { readEnvironment } from "../../kernel/index.ts";
import { until } from "../../testing/index.ts";
import { Collector } from "../../testing/servers.ts";
import { startTracing, type Tracing } from "../../tracing/index.ts";
import { brokerOptions } from "../index.ts";

let collector: Collector;
let tracing: Tracing;
let broker: ServiceBroker;
/** Groups of the events that were heard. */
const heard: unknown[] = [];

beforeAll(async () => {
  collector = await Collector.start();
  const environment = readEnvironment({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
  tracing = (await startTracing(environment))!;
  broker = new ServiceBroker({ ...brokerOptions(environment), logger: false });
  broker.createService({
    name: "loans",
    actions: {
      lend: () => broker.emit("book.lent", {}, ["desks"]),
      close: (ctx: Context) => ctx.broadcast("library.closed", {}, { headers: { reason: "late" } }),
    },
  });
  const hear = (ctx: Context): void => void heard.push([ctx.eventName, ctx.eventGroups, ctx.headers?.["reason"]]);
  broker.createService({
    name: "desks",
    events: {
      "book.lent": hear,
      "library.closed": (ctx: Context) => {
        hear(ctx);
        throw new Error("the door is stuck");
      },
    },
  });
  await broker.start();
});
afterAll(async () => {
  await broker.stop();
  await tracing.stop();
  await collector.stop();
});

async function named(name: string) {
  return until(`a span ${name}`, async () => {
    await tracing.flush();
    return collector.spans.find(span => span.name === name);
  });
}

test("an event that is emitted or broadcast in a trace takes it along to each listener, with its options", async () => {
  await broker.call("loans.lend");
  await broker.call("loans.close");
  expect(heard).toEqual([
    ["book.lent", ["desks"], undefined],
    ["library.closed", undefined, "late"],
  ]);
  for (const [action, event, hasFailed] of [
    ["loans.lend", "book.lent", false],
    ["loans.close", "library.closed", true],
  ] as const) {
    const [cause, sent, processed] = [
      await named(action),
      await named(`publish ${event}`),
      await named(`process ${event}`),
    ];
    const attributes = {
      "messaging.system": "moleculer",
      "messaging.destination.name": event,
      "messaging.operation.name": "publish",
      "messaging.operation.type": "send",
    };
    expect(sent).toMatchObject({
      trace: cause.trace,
      parent: cause.id,
      kind: "producer",
      hasFailed: false,
      attributes,
    });
    expect(processed).toMatchObject({ trace: cause.trace, parent: sent.id, kind: "consumer", hasFailed });
    expect(processed.attributes).toMatchObject({
      ...attributes,
      "messaging.operation.name": "process",
      "messaging.operation.type": "process",
      "messaging.consumer.group.name": "desks",
    });
  }
});

test("an event that no request caused begins no trace", async () => {
  collector.spans.length = 0;
  await broker.emit("book.lent", {});
  await tracing.flush();
  expect(collector.spans).toEqual([]);
});
