import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { ServiceBroker } from "moleculer";
import { until } from "../../testing/index.ts";
import { Proxy, RedisServer } from "../../testing/servers.ts";
import { readEnvironment } from "../../kernel/index.ts";
import { redisOf } from "../../redis/index.ts";
import { brokerOptions } from "../index.ts";
import { limits } from "./limits.ts";

let server: RedisServer | undefined;
let proxy: Proxy | undefined;
const brokers: ServiceBroker[] = [];
afterEach(async () => {
  server?.resume();
  await Promise.all(brokers.splice(0).map(broker => broker.stop()));
  await proxy?.close();
  await server?.stop();
  server = proxy = undefined;
});

/**
 * The source that the nodes read: a value that can change, a count of its reads, and a gate that holds answers back.
 */
class Source {
  value = 1;
  reads = 0;
  #isClosed = false;
  readonly #waiting: (() => void)[] = [];

  close(): void {
    this.#isClosed = true;
  }
  open(): void {
    this.#isClosed = false;
    for (const pass of this.#waiting.splice(0)) pass();
  }
  /** Lets the answer of the latest read pass, before those of older reads. */
  openForLast(): void {
    this.#waiting.pop()!();
  }
  /** The value at this moment, answered when the gate is open. */
  async read(): Promise<number> {
    this.reads++;
    const { value } = this;
    if (this.#isClosed) await new Promise<void>(pass => this.#waiting.push(pass));
    return value;
  }
}

async function start(source: Source, redisUrl = server?.url): Promise<ServiceBroker> {
  const env = redisUrl === undefined ? {} : { REDIS_URL: redisUrl };
  const broker = new ServiceBroker({ ...brokerOptions(readEnvironment(env)), logger: false });
  brokers.push(broker);
  broker.createService({
    name: "things",
    actions: {
      get: { cache: { keys: ["id"], ttl: 30 }, handler: () => source.read() },
      fails: {
        cache: { keys: ["id"] },
        async handler() {
          await source.read();
          throw new Error("no such thing");
        },
      },
      nothing: { cache: true, handler: async () => void (await source.read()) },
    },
  });
  await broker.start();
  await redisOf(broker)?.tried;
  return broker;
}
const get = (broker: ServiceBroker, id = "a"): Promise<number> => broker.call("things.get", { id });
const crowd = <T>(of: () => Promise<T>): Promise<T>[] => Array.from({ length: 20 }, of);
const clean = (broker: ServiceBroker) => broker.cacher!.clean("things.**");

/** Promises on one node, whichever cache it has. */
function onOneNode(): void {
  test("20 calls that miss at once run the handler once, also when it fails", async () => {
    const source = new Source();
    const broker = await start(source);
    source.close();
    const answers = crowd(() => get(broker));
    await until("the handler runs", () => source.reads > 0);
    source.open();
    expect(new Set(await Promise.all(answers))).toEqual(new Set([1]));
    expect(source.reads).toBe(1);
    expect([await get(broker), source.reads]).toEqual([1, 1]);
    expect([await get(broker, "b"), source.reads]).toEqual([1, 2]);

    source.close();
    const failures = Promise.allSettled(crowd(() => broker.call("things.fails", { id: "a" })));
    await until("the handler runs", () => source.reads === 3);
    source.open();
    expect((await failures).map(({ status }) => status)).not.toContain("fulfilled");
    expect(source.reads).toBe(3);
    await expect(broker.call("things.fails", { id: "a" })).rejects.toThrow("no such thing");
    expect(source.reads).toBe(4);
  });

  test("a call after a change gets the change, and so do all later ones, although an older answer arrives last", async () => {
    const source = new Source();
    const broker = await start(source);
    source.close();
    const before = get(broker);
    await until("the handler runs", () => source.reads === 1);
    source.value = 2;
    await clean(broker);
    const after = get(broker);
    await until("it runs again", () => source.reads === 2);
    source.openForLast();
    expect(await after).toBe(2);
    source.open();
    expect(await before).toBe(1);
    expect([await get(broker), source.reads]).toEqual([2, 2]);
  });

  test("cleaning another service leaves this one's answers, cleaning all does not", async () => {
    const source = new Source();
    const broker = await start(source);
    await get(broker);
    await broker.cacher!.clean("others.**");
    await get(broker);
    expect(source.reads).toBe(1);
    await broker.cacher!.clean();
    await get(broker);
    expect(source.reads).toBe(2);
  });

  test("a missing answer is not kept, one with long params is, and an entry that is set by hand is found", async () => {
    const source = new Source();
    const broker = await start(source);
    await broker.call("things.nothing");
    await get(broker, "x".repeat(10_000));
    await get(broker, "x".repeat(10_000));
    await get(broker, `${"x".repeat(9_999)}y`);
    expect(source.reads).toBe(3);
    const cacher = broker.cacher!;
    expect(await cacher.get("things.get:z")).toBeUndefined();
    await cacher.set("things.get:z", { z: 1 }, 10);
    expect(await cacher.get("things.get:z")).toEqual({ z: 1 });
    await cacher.del("things.get:z");
    expect(await cacher.get("things.get:z")).toBeUndefined();
  });
}

describe("in memory", onOneNode);

describe("in Redis", () => {
  beforeEach(async () => {
    server = await RedisServer.start();
  });
  onOneNode();

  test("20 on each of two nodes make one run of the handler", async () => {
    const source = new Source();
    const nodes = [await start(source), await start(source)];
    source.close();
    const answers = nodes.flatMap(node => crowd(() => get(node)));
    await until("the handler runs", () => source.reads > 0);
    // As long as the calls of the other node may take to find the lock and look again.
    for (let n = 0; n < 5; n++) await nodes[n % 2]!.cacher!.get("things.get:none");
    source.open();
    expect(new Set(await Promise.all(answers))).toEqual(new Set([1]));
    expect(source.reads).toBe(1);
  });

  test("a change on one node is seen on the other, though that one's older answer arrives last", async () => {
    const [here, there] = [new Source(), new Source()];
    const [one, other] = [await start(here), await start(there)];
    await get(one);
    expect([await get(other), there.reads]).toEqual([1, 0]);
    await clean(one);
    there.close();
    const older = get(other);
    await until("the other reads", () => there.reads === 1);
    here.value = 2;
    await clean(one);
    expect(await get(one)).toBe(2);
    there.open();
    expect(await older).toBe(1);
    // It has been stored by now, if it ever is: commands of a connection are answered in order.
    await other.cacher!.get("things.get:none");
    expect([await get(one), await get(other)]).toEqual([2, 2]);
  });

  test("other calls wait for the call that fills an entry, but not long, and its lock expires", async () => {
    const [stuck, source] = [new Source(), new Source()];
    const [one, other] = [await start(stuck), await start(source)];
    stuck.close();
    const late = get(one);
    await until("it reads", () => stuck.reads === 1);
    const life = await redisOf(one)!.run(async client => {
      const [lock] = await client.keys("*:lock");
      const ms = await client.pttl(lock!);
      await client.persist(lock!);
      return ms;
    });
    expect(life).toBeGreaterThan(0);
    expect(life).toBeLessThanOrEqual(limits.fillMs);
    expect([await get(other), source.reads]).toEqual([1, 1]);
    stuck.open();
    await late;
  });

  test("entries and locks expire, and an entry is JSON", async () => {
    const source = new Source();
    const broker = await start(source);
    await get(broker);
    await broker.call("things.nothing");
    const keys = await redisOf(broker)!.run(async client => {
      const found = await client.keys("valence:cache:*");
      return Promise.all(found.map(async key => [key, await client.pttl(key)] as const));
    });
    expect(keys.map(([key]) => key)).toEqual([expect.stringContaining("things.get")]);
    for (const [, ttl] of keys) expect(ttl).toBeGreaterThan(0);
  });

  test("without Redis the handler answers, once for all concurrent calls; with it the cache does again", async () => {
    const source = new Source();
    const broker = await start(source);
    await get(broker);
    await server!.halt();
    await until("it is missed", () => !redisOf(broker)!.isUp);
    source.close();
    const answers = crowd(() => get(broker));
    source.open();
    expect(new Set(await Promise.all(answers))).toEqual(new Set([1]));
    expect(source.reads).toBe(2);
    await server!.start();
    await until("it is back", () => redisOf(broker)!.isUp);
    await get(broker);
    await get(broker);
    expect(source.reads).toBe(3);
  });

  test("a server that freezes between look and answer delays no call", async () => {
    const source = new Source();
    const broker = await start(source);
    source.close();
    const answer = get(broker);
    await until("the handler runs", () => source.reads === 1);
    server!.pause();
    source.open();
    expect(await answer).toBe(1);
    expect(await get(broker, "b")).toBe(1);
    expect(await get(broker, "c")).toBe(1);
    await clean(broker);
    server!.resume();
    await until("it is back", () => redisOf(broker)!.isUp);
  });

  test("a change that a node makes while Redis is out of its reach is made up for when it is back", async () => {
    proxy = await Proxy.to(server!.url);
    const source = new Source();
    const [cutOff, other] = [await start(source, proxy.url(server!.url)), await start(source)];
    expect([await get(cutOff), await get(other), source.reads]).toEqual([1, 1, 1]);
    proxy.cut();
    await until("it is missed", () => !redisOf(cutOff)!.isUp);
    source.value = 2;
    await clean(cutOff);
    expect([await get(cutOff), await get(other)]).toEqual([2, 1]);
    proxy.heal();
    // Without a call on that node, and before the entry expires.
    await until("it has made up for it", async () => (await get(other)) === 2, 15_000);
    expect(await get(cutOff)).toBe(2);
  });

  test("a server that takes no change, though it still gives answers, gives no old ones", async () => {
    const source = new Source();
    const broker = await start(source);
    await get(broker);
    const redis = redisOf(broker)!;
    await redis.run(client => client.config("SET", "maxmemory", "1"));
    source.value = 2;
    await clean(broker);
    expect([await get(broker), await get(broker), source.reads]).toEqual([2, 2, 3]);
    await redis.run(client => client.config("SET", "maxmemory", "0"));
    expect([await get(broker), await get(broker), source.reads]).toEqual([2, 2, 4]);
  });

  test("an answer from before an empty start is not stored after it, when the count begins anew", async () => {
    const source = new Source();
    const broker = await start(source);
    source.close();
    const older = get(broker);
    await until("the handler runs", () => source.reads === 1);
    source.value = 2;
    await clean(broker);
    await server!.halt();
    await until("it is missed", () => !redisOf(broker)!.isUp);
    await server!.start();
    await until("it is back", () => redisOf(broker)!.isUp);
    source.open();
    expect(await older).toBe(1);
    await broker.cacher!.get("things.get:none");
    expect(await get(broker)).toBe(2);
  });

  test("a broker starts without Redis, and caches as soon as it is there", async () => {
    await server!.halt();
    const source = new Source();
    const broker = await start(source);
    expect([await get(broker), await get(broker), source.reads]).toEqual([1, 1, 2]);
    await server!.start();
    await until("it is found", () => redisOf(broker)!.isUp);
    await get(broker);
    await get(broker);
    expect(source.reads).toBe(3);
  });
});

test("the limits agree: a call that waits gives up before the one that fills counts as dead", () =>
  expect(limits.waitMs).toBeLessThan(limits.fillMs));
