// given(Account, event…).when("redeem", {…}).yields(event…) | .refuses("RULE"): one line, no broker, no test framework.
// Time is virtual: given(Booking).when("hold", {…}).after({ minutes: 15 }).fires("expire", expired).
import assert from "node:assert/strict";
import { msOf, Refusal, rfc3339, type Duration } from "../kernel/index.ts";
import type { AnyContract, Data } from "../contract/index.ts";
import type { Actor, EventOf, RefusalOf, StateOf, Timer } from "./define-actor.ts";
import { beginning, decideAt, GIVEN_ID, inContract, pass, withTimers, type Findings, type Moment } from "./moment.ts";

type Command<K extends AnyContract> = keyof K["commands"] & string;

/**
 * An actor after these events, at `GIVEN_NOW`, with the id `GIVEN_ID`; ids that it makes are `id-1`, `id-2`, …
 *
 *     given(Account, opened, earned(3)).when("redeem", { points: 4 }).refuses("NOT_ENOUGH_POINTS");
 *     given(Booking).at("2026-01-01T12:00:00Z").when("hold", { room }).after({ minutes: 15 }).fires("expire", expired);
 *     given(Booking).when("hold", { room }).when("confirm", {}).after({ minutes: 15 }).firesNothing();
 *
 * Throws an assertion error when a state, an event or params are not as the contract says.
 */
export const given = <K extends AnyContract>(actor: Actor<K>, ...past: EventOf<K>[]): Given<K> =>
  new Given(actor, beginning(actor, past));

/** An actor at some instant. Pure: several commands can be tried on the same one. */
abstract class Situation<K extends AnyContract> {
  protected readonly actor: Actor<K>;

  constructor(actor: Actor<K>) {
    this.actor = actor;
  }

  /** Throws what the command before it throws, its refusal too: assert that by `refuses`. */
  protected abstract get moment(): Moment;

  /** A command arrives. `prepared` stands for the result of its `prepare`. */
  when<C extends Command<K>>(command: C, params: Data<K["commands"][C]>, prepared?: unknown): When<K, C> {
    inContract(this.actor.contract.commands[command], params, command);
    return new When(this.actor, this.moment, command, params, prepared);
  }

  /**
   * Time passes, and each timer that is due fires at its instant; a number is milliseconds. `found` stands for the results
   * of `prepare`, by command, where a timer's command declares it.
   */
  after(duration: Duration | number, found?: { readonly [C in Command<K>]?: unknown }): After<K> {
    return new After(this.actor, this.moment, msOf(duration), found);
  }

  /** The timers that are set, by name, and the instants at which they are due. */
  waits(expected: Readonly<Record<string, string>>): void {
    const { timers } = this.moment;
    const utc = Object.entries(expected).map(([name, at]) => [name, rfc3339(Date.parse(at))]);
    const set = Object.fromEntries(timers.map(({ name, dueMs }) => [name, rfc3339(dueMs)]));
    assert.deepEqual(set, Object.fromEntries(utc));
  }
}

class Given<K extends AnyContract> extends Situation<K> {
  protected readonly moment: Moment;

  constructor(actor: Actor<K>, moment: Moment) {
    super(actor);
    this.moment = moment;
  }

  /** Sets the clock, to an RFC 3339 instant. */
  at(now: string): Given<K> {
    const nowMs = Date.parse(now);
    if (Number.isNaN(nowMs)) throw new Error(`at: "${now}" is no RFC 3339 instant`);
    return new Given(this.actor, { ...this.moment, nowMs });
  }

  /** Timers that an earlier command has set: events alone do not tell them. They count from the instant of the clock. */
  waiting(...timers: Timer<K>[]): Given<K> {
    return new Given(this.actor, withTimers(this.actor, this.moment, timers as readonly Timer<any>[]));
  }
}

/** A command, decided when something is asked of it. */
class When<K extends AnyContract, C extends Command<K>> extends Situation<K> {
  readonly #before: Moment;
  readonly #command: C;
  readonly #params: Data<K["commands"][C]>;
  readonly #prepared: unknown;

  constructor(actor: Actor<K>, before: Moment, command: C, params: Data<K["commands"][C]>, prepared: unknown) {
    super(actor);
    this.#before = before;
    this.#command = command;
    this.#params = params;
    this.#prepared = prepared;
  }

  #decided(): ReturnType<typeof decideAt> {
    return decideAt(this.actor, this.#before, this.#command, this.#params, this.#prepared);
  }
  protected get moment(): Moment {
    return this.#decided().next;
  }

  /** It decides on exactly these events. */
  yields(...expected: EventOf<K>[]): void {
    assert.deepEqual(this.#decided().events, expected);
  }

  /** The state has these fields afterwards. */
  becomes(expected: Partial<StateOf<K>>): void {
    assertHas(this.#decided().state, expected);
  }

  refuses(rule: RefusalOf<K>, field?: string): void {
    assert.throws(
      () => this.#decided(),
      (error: unknown) => {
        assert.ok(error instanceof Refusal, `${String(error)} is not a refusal`);
        assert.equal(error.type, rule);
        if (field !== undefined) assert.equal(error.data.errors?.[0]?.field, field);
        return true;
      },
    );
  }

  /** The answer beside `{ id, version }`. */
  replies(expected: C extends keyof K["replies"] ? Data<K["replies"][C]> : never): void {
    const { state, events } = this.#decided();
    const reply = this.actor.reply?.[this.#command]?.(state as StateOf<K>, events as never, GIVEN_ID);
    inContract(this.actor.contract.replies[this.#command], reply, `reply of ${this.#command}`);
    assert.deepEqual(reply, expected);
  }

  /** It sets and cancels exactly these timers. */
  timers(...expected: Timer<K>[]): void {
    assert.deepEqual(this.#decided().timers, expected);
  }
}

/** A time has passed. */
class After<K extends AnyContract> extends Situation<K> {
  protected readonly moment: Moment;
  readonly #fired: ReturnType<typeof pass>["fired"];

  constructor(actor: Actor<K>, before: Moment, ms: number, found?: Findings) {
    super(actor);
    const { fired, next } = pass(actor, before, ms, found);
    this.moment = next;
    this.#fired = fired;
  }

  /** One timer has fired; its command made exactly these events. */
  fires(command: Command<K>, ...events: EventOf<K>[]): void {
    const [fired] = this.#theOnly(command);
    assert.ok(!fired.refusal, `${command} was refused: ${fired.refusal?.type} ${fired.refusal?.message}`);
    assert.deepEqual(fired.events, events);
  }

  /** One timer has fired, and the actor refused its command: it is not sent again. */
  firesInVain(command: Command<K>, rule: RefusalOf<K>): void {
    assert.equal(this.#theOnly(command)[0].refusal?.type, rule);
  }

  /** Several timers have fired, with these commands, in this order. */
  firesInOrder(...commands: Command<K>[]): void {
    assert.deepEqual(
      this.#fired.map(({ command }) => command),
      commands,
    );
  }

  firesNothing(): void {
    this.firesInOrder();
  }

  /** The state has these fields afterwards. */
  becomes(expected: Partial<StateOf<K>>): void {
    assertHas(this.moment.state, expected);
  }

  #theOnly(command: Command<K>): [ReturnType<typeof pass>["fired"][number]] {
    const set = this.moment.timers.map(({ name, dueMs }) => `${name} at ${rfc3339(dueMs)}`).join(", ") || "none";
    const all = this.#fired.map(fired => fired.command);
    assert.deepEqual(all, [command], `fired: ${all.join(", ") || "nothing"}; still set: ${set}`);
    return [this.#fired[0]!];
  }
}

function assertHas(state: unknown, expected: object): void {
  assert.deepEqual({ ...(state as object), ...expected }, state);
}
