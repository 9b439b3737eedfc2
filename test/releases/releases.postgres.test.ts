// Two releases at once: a roll-out, a roll-back and a second roll-out of a small domain, under load, on nodes of their
// own. A further release gets a folder of its own, with one change of each kind that is to be tested.
import { afterEach, expect, test } from "@jest/globals";
import { setTimeout as sleep } from "node:timers/promises";
import { COMMAND_ID } from "@valence/runtime/kernel";
import { Cluster } from "../cluster/cluster.ts";
import { until } from "@valence/runtime/testing";

const NODE = { script: new URL("node.fixture.ts", import.meta.url).pathname, serves: "parcels.register" };
const FIRST = new URL("./r1/services.ts", import.meta.url).href;
const SECOND = new URL("./r2/services.ts", import.meta.url).href;

const CALLERS = 6;
/** Attempts for a command that has no answer yet when the load is told to stop. */
const LAST_TRIES = 50;
/** Old parcels that wait for the release that can read them; later callers of the same parcels wait with them. */
const WAITING_MAX = 40;
/** Parcels that each phase of a roll-out has to register; `npm run test:chaos` wants twice as many. */
const PARCELS_A_PHASE = process.env["CHAOS"] === "all" ? 60 : 30;
/** One parcel in this many is too heavy: its saga is refused at the pivot and compensates. */
const HEAVY_EVERY = 5;
const HEAVY_GRAMS = 10_000;
/** Milliseconds within which a service answers once the release that it waits for has come. */
const SETTLED_MS = 60_000;

let cluster: Cluster;
let load: Load;
afterEach(async () => {
  await load?.stop();
  await cluster.stop();
});

interface Failed {
  readonly action: string;
  readonly params: object;
  readonly error: any;
}

/** The callers' requests, and the answers that they got. */
class Load {
  /** Stamps acknowledged, by parcel. */
  readonly stamps = new Map<string, number>();
  /** Parcels whose registration was acknowledged, in order. */
  readonly registered: string[] = [];
  readonly depots = new Map<string, string>();
  readonly failed: Failed[] = [];
  readonly wrong: string[] = [];
  #n = 0;
  /** Stamps of old parcels that have no answer yet. */
  readonly #waiting = new Set<Promise<void>>();
  readonly #ending = new AbortController();
  readonly #callers: Promise<void>[];

  constructor(callers: number) {
    this.#callers = Array.from({ length: callers }, () => this.#call());
  }

  get parcels(): number {
    return this.registered.length;
  }
  gramsOf(id: string): number {
    return Number(id.slice(1)) % HEAVY_EVERY === 0 ? HEAVY_GRAMS : 100;
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    await Promise.all(this.#callers);
    await Promise.all(this.#waiting);
  }

  /** A call under a command id, repeated until it is answered, as a client with an idempotency key does it. */
  async command<T>(action: string, params: object, commandId: string): Promise<T | undefined> {
    for (let left = LAST_TRIES; left > 0; left -= this.#ending.signal.aborted ? 1 : 0) {
      try {
        return await cluster.caller.call<T, object>(action, params, { headers: { [COMMAND_ID]: commandId } } as object);
      } catch (error) {
        this.failed.push({ action, params, error });
        await sleep(100);
      }
    }
    this.wrong.push(`${action} ${JSON.stringify(params)} was never answered`);
    return undefined;
  }

  /** A call that the test does not repeat. */
  async #once<T>(action: string, params: object): Promise<T | undefined> {
    try {
      return await cluster.caller.call<T, object>(action, params);
    } catch (error) {
      this.failed.push({ action, params, error });
      return undefined;
    }
  }

  async #stamp(id: string, nth: number): Promise<void> {
    const answer = await this.command<{ version: number; stamps: number }>(
      "parcels.stamp",
      { id },
      `client:load:${id}:${nth}`,
    );
    if (!answer) return;
    const before = this.stamps.get(id) ?? 0;
    this.stamps.set(id, before + 1);
    if (answer.stamps < before + 1) this.wrong.push(`${id} said ${answer.stamps} stamps after ${before + 1}`);
    const row = await this.#once<{ grams: number; stamps: number }>("boards.of", {
      id,
      after: `${id}@${answer.version}`,
    });
    if (row && (row.grams !== this.gramsOf(id) || row.stamps < answer.stamps))
      this.wrong.push(`board of ${id}: ${JSON.stringify(row)} after ${JSON.stringify(answer)}`);
  }

  async #call(): Promise<void> {
    while (!this.#ending.signal.aborted) {
      const id = `p${this.#n++}`;
      if (!(await this.command("parcels.register", { id, grams: this.gramsOf(id) }, `client:load:${id}`))) return;
      this.registered.push(id);
      await this.#stamp(id, 0);
      // A parcel that was registered long ago, by either release: its command may have to wait until that release is
      // back.
      const old = this.registered[Math.floor(Math.random() * this.registered.length)]!;
      const stamping = this.#stamp(old, this.#n++).finally(() => this.#waiting.delete(stamping));
      this.#waiting.add(stamping);
      if (this.#waiting.size > WAITING_MAX) await Promise.race(this.#waiting);
      const depot = await this.#once<{ id: string }>("depots.add", { name: id });
      if (depot) this.depots.set(depot.id, id);
      await sleep(5);
    }
  }
}

async function phase(name: string): Promise<void> {
  const before = load.parcels;
  await until(`the load is under way: ${name}`, () => load.parcels >= before + PARCELS_A_PHASE, SETTLED_MS);
}

const join = (release: string): Promise<string> => cluster.join({ RELEASE: release });
const leave = async (id: string): Promise<void> => expect(await cluster.end(id, "SIGTERM")).toBe(0);

/** Everything that operators would have to repair. */
async function leftToPeople(): Promise<object[]> {
  const call = <T>(action: string, params: object = {}): Promise<T> => cluster.caller.call<T, object>(action, params);
  const left: object[] = [];
  for (const service of ["parcels", "slots"])
    left.push(...(await call<{ quarantined: object[] }>(`${service}.quarantined`)).quarantined);
  for (const service of ["delivery", "boards", "tickets"])
    left.push(...(await call<{ deadLetters: object[] }>(`${service}.deadLetters`)).deadLetters);
  left.push(...(await call<{ sagas: object[] }>("delivery.sagas", { state: "stuck" })).sagas);
  return left;
}

test("P1-P5 two releases side by side, forward, back and forward again: nothing lost, wrong, parked or in quarantine", async () => {
  cluster = await Cluster.start(0, undefined, NODE);
  const first = [await join(FIRST), await join(FIRST)];
  load = new Load(CALLERS);
  await phase("the first release alone");

  // Roll forward. At every moment there is a node that can read what was written.
  const second = [await join(SECOND)];
  await phase("one node of the second release");
  await leave(first[0]!);
  second.push(await join(SECOND));
  await phase("one node of the first release");
  await leave(first[1]!);
  await phase("the second release alone");
  expect(load.failed.filter(({ action }) => action !== "boards.of").map(asText)).toEqual([]);
  await until("the board is the second release's", async () => {
    const { projections } = await cluster.caller.call<{ projections: any[] }, object>("boards.projections", {});
    return projections.some(({ version, state }) => version === 2 && state === "live");
  });
  expect(await leftToPeople()).toEqual([]);

  // Roll back. Commands to what only the second release can read have to wait, and their errors say so.
  const back = [await join(FIRST)];
  await phase("rolled back by half");
  await leave(second[0]!);
  back.push(await join(FIRST));
  await leave(second[1]!);
  const before = load.failed.length;
  const registered = load.parcels;
  // The first release alone serves new parcels; callers of an old parcel may still wait.
  await until("the first release serves again", () => load.parcels > registered, SETTLED_MS);
  await sleep(3_000);
  const failed = load.failed.slice(before).map(({ error }) => error);
  for (const error of failed) expect(error).toMatchObject({ retryable: true, data: { family: "unavailable" } });
  expect(failed.map(({ type }) => type)).toContain("UNREADABLE_HERE");
  expect(await leftToPeople()).toEqual([]);

  // Forward again.
  await join(SECOND);
  await phase("forward again");
  await leave(back[0]!);
  await join(SECOND);
  await leave(back[1]!);
  await phase("the second release alone again");
  await load.stop();

  for (const { error } of load.failed)
    expect(error).toMatchObject({ retryable: true, data: { family: "unavailable" } });
  expect(load.wrong).toEqual([]);
  const call = <T = any>(action: string, params: object): Promise<T> => cluster.caller.call<T, object>(action, params);
  await until(
    "all sagas have ended",
    async () => (await call("delivery.sagas", { state: "open" })).sagas.length === 0,
    SETTLED_MS,
  );
  expect(await leftToPeople()).toEqual([]);
  for (const id of load.registered) {
    const status = load.gramsOf(id) === HEAVY_GRAMS ? "given back" : "delivered";
    const { state, version } = await call("parcels.get", { id, consistent: true });
    expect({ id, ...state }).toMatchObject({ status, grams: load.gramsOf(id), stamps: load.stamps.get(id) ?? 0 });
    const { events } = await call<{ events: { type: string }[] }>("parcels.history", { id, limit: 1_000 });
    const count = (type: string): number => events.filter(event => event.type === type).length;
    expect(events).toHaveLength(version);
    expect(state.scans).toBe(count("parcel.scanned"));
    expect(count("parcel.delivered") + count("parcel.given_back")).toBe(1);
    const { stamps, scans, grams } = state;
    expect(await call("boards.of", { id, after: `${id}@${version}` })).toEqual({
      id,
      status,
      unit: "g",
      weight: grams,
      grams,
      stamps,
      scans,
    });
    await until(`the ticket of ${id}`, async () => {
      const { state } = await call("slots.get", { id: `ticket-${id}`, consistent: true });
      return state.takings === (status === "delivered" ? 1 : 0);
    });
  }
  for (const [id, name] of load.depots) expect(await call("depots.get", { id })).toMatchObject({ id, name });
}, 300_000);

const asText = ({ action, params, error }: Failed): string =>
  `${action} ${JSON.stringify(params)}: ${error.type ?? error.name} ${error.message}`;
