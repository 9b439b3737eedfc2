// The spans of commands, as a collector gets them.
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { locationOf } from "../database/index.ts";
import type { EventStore } from "../event-store/index.ts";
import { openEventStore } from "../event-store/siblings.ts";
import { readEnvironment } from "../kernel/index.ts";
import { until } from "../testing/index.ts";
import { Collector, newDatabases, type CollectedSpan, type Databases } from "../testing/servers.ts";
import { startTracing, type Tracing } from "../tracing/index.ts";
import { Purse } from "./account.fixture.ts";
import { ActorHost } from "./host.ts";
import { ACTOR_LIMITS } from "./limits.ts";
import { TimerRunner } from "./timers.ts";

let collector: Collector;
let tracing: Tracing;
let databases: Databases;
let store: EventStore;
const hosts: ActorHost[] = [];

beforeAll(async () => {
  collector = await Collector.start();
  tracing = (await startTracing(readEnvironment({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url })))!;
});
afterAll(async () => {
  await tracing.stop();
  await collector.stop();
});
beforeEach(async () => {
  databases = await newDatabases();
  store = await openEventStore(locationOf(readEnvironment(databases.env), "purses"));
  collector.spans.length = 0;
});
afterEach(async () => {
  for (const host of hosts.splice(0)) await host.drain();
  await store.close();
  await databases.remove();
});

function newHost(): ActorHost {
  const host = new ActorHost(Purse, store, { logger: { error: () => {} } });
  hosts.push(host);
  return host;
}
const place = ({ trace, id }: CollectedSpan): object => ({ trace, id });

/** Executes as a caller with a span of this name. */
const earn = (host: ActorHost, caller: string, id: string, command = "earn") =>
  tracing.within({ name: caller, parent: null }, () => host.execute(id, command, { amount: 1 }));

/** The events of the actor that the tests use. */
const recorded = () => hosts[0]!.history("a", 1, 10);

/** Spans of a caller's trace, by name; of `name` all, in the order of their ends. */
async function under(caller: string, name: string): Promise<CollectedSpan[]> {
  await tracing.flush();
  const { trace } = collector.spans.find(span => span.name === caller)!;
  return collector.spans.filter(span => span.trace === trace && span.name === name);
}

test("a command waits for its actor to be loaded, is decided, and commits", async () => {
  await earn(newHost(), "caller", "a");
  const [caller] = await under("caller", "caller");
  for (const name of ["actor load", "actor wait", "actor decide", "actor commit"])
    expect(await under("caller", name)).toMatchObject([
      { parent: caller!.id, attributes: { "valence.stream": "purse.a" } },
    ]);
  const [commit] = await under("caller", "actor commit");
  expect(commit!.attributes).toMatchObject({
    "valence.command": "earn",
    "valence.verdict": "ok",
    "valence.version": 1,
  });
  expect(await under("caller", "store commit")).toMatchObject([
    {
      parent: commit!.id,
      links: [place(commit!)],
      attributes: { "db.system.name": expect.stringMatching(/^(sqlite|postgresql)$/), "db.operation.name": "commit" },
    },
  ]);
  expect(await recorded()).toMatchObject([{ metadata: { traceparent: `00-${caller!.trace}-${caller!.id}-01` } }]);
});
test("one transaction for several callers is a part of no one's trace, and links to the commits of all", async () => {
  const host = newHost();
  const ids = ["a", "b", "c", "d"];
  const earnAll = (): Promise<unknown> => Promise.all(ids.map(id => earn(host, `caller ${id}`, id)));
  await earnAll();
  await tracing.flush();
  collector.spans.length = 0;
  await earnAll();
  await tracing.flush();
  const commits = collector.spans.filter(({ name }) => name === "actor commit");
  const batches = collector.spans.filter(({ name }) => name === "store commit");
  const linked = batches.flatMap(({ links }) => links);
  expect(commits).toHaveLength(ids.length);
  expect(linked).toHaveLength(ids.length);
  expect(linked).toEqual(expect.arrayContaining(commits.map(place)));
  // A store on Postgres has two lanes: one of them has a batch of several.
  const shared = batches.find(({ links }) => links.length > 1)!;
  expect(shared).toMatchObject({ parent: "", attributes: { "db.operation.batch.size": shared.links.length } });
  expect(commits.map(({ trace }) => trace)).not.toContain(shared.trace);
});

test("a command that loses to another owner loads again in its own trace, and commits the second time", async () => {
  const [one, two] = [newHost(), newHost()];
  await earn(one, "first", "a");
  await earn(two, "other", "a");
  await earn(one, "loser", "a");
  expect((await under("loser", "actor commit")).map(({ attributes }) => attributes["valence.verdict"])).toEqual([
    "conflict",
    "ok",
  ]);
  const [caller] = await under("loser", "loser");
  expect(await under("loser", "actor load")).toMatchObject([{ parent: caller!.id }]);
  expect(await under("loser", "actor decide")).toHaveLength(2);
});

test("a timer fires in the trace of the command that set it", async () => {
  const host = newHost();
  await earn(host, "setter", "a", "later");
  const timers = new TimerRunner(
    store,
    (id, command, params, commandId) => host.execute(id, command, params, { commandId }),
    { ...ACTOR_LIMITS, timerPollMs: 10 },
    () => {},
  );
  await timers.serve(new Set([0]), 1);
  await until("it has fired", async () => (await host.get("a")).version === 1);
  await timers.stop();
  const [setter] = await under("setter", "setter");
  const [fired] = await under("setter", "timer fire");
  expect(fired).toMatchObject({ parent: setter!.id, attributes: { "valence.command": "earn" } });
  expect((await under("setter", "actor decide")).map(({ parent }) => parent)).toEqual([setter!.id, fired!.id]);
});

test("without a caller's span nothing is traced", async () => {
  await newHost().execute("a", "earn", { amount: 1 });
  await tracing.flush();
  expect(collector.spans).toEqual([]);
  const [event] = await recorded();
  expect(event!.metadata).not.toHaveProperty("traceparent");
});
