// given(Account, event…).when("redeem", {…}).yields(event…) | .refuses("RULE"): one line, no broker, no test framework.
// Everything that passes through is checked against the contract, and every state is frozen: a fold that changes what
// it was given throws here, since the runtime keeps states as they were at their commit.
import assert from "node:assert/strict";
import type { TProperties } from "typebox";
import { Refusal } from "../kernel/index.ts";
import { compileSchema, strictObject, type AnyContract, type Check, type Data } from "../contract/index.ts";
import { decide, decisionOf } from "./decision.ts";
import {
  evolveAll,
  type Actor,
  type EventOf,
  type PlainEvent,
  type RefusalOf,
  type StateOf,
  type Timer,
} from "./define-actor.ts";
import { deepFreeze } from "./frozen.ts";

/** The id and the instant of every decision under `given`. */
export const GIVEN_ID = "actor-1";
export const GIVEN_NOW = "2026-01-01T00:00:00.000Z";

export function given<K extends AnyContract>(actor: Actor<K>, ...past: EventOf<K>[]) {
  const before = fold(actor, deepFreeze(actor.initial()), past);
  return {
    /** `prepared` stands for what `prepare` would have found. */
    when<C extends keyof K["commands"] & string>(command: C, params: Data<K["commands"][C]>, prepared?: unknown) {
      inContract(actor.contract.commands[command], params, command);
      const outcome = () => {
        let ids = 0;
        const decision = decisionOf(GIVEN_ID, GIVEN_NOW, () => `id-${++ids}`);
        const decided = decide(actor, before, command, params, decision, prepared);
        for (const event of decided.events) inContract(actor.contract.events[event.type], event.data, event.type);
        fold(actor, before, decided.events);
        return decided;
      };
      return {
        yields(...expected: EventOf<K>[]) {
          assert.deepEqual(outcome().events, expected);
        },
        becomes(expected: Partial<StateOf<K>>) {
          const after = outcome().state as object;
          assert.deepEqual({ ...after, ...expected }, after);
        },
        refuses(rule: RefusalOf<K>, field?: string) {
          assert.throws(outcome, (error: unknown) => {
            assert.ok(error instanceof Refusal, `${String(error)} is not a refusal`);
            assert.equal(error.type, rule);
            if (field !== undefined) assert.equal(error.data.errors?.[0]?.field, field);
            return true;
          });
        },
        replies(expected: C extends keyof K["replies"] ? Data<K["replies"][C]> : never) {
          const { state, events } = outcome();
          const reply = actor.reply?.[command]?.(state, events as never, GIVEN_ID);
          inContract(actor.contract.replies[command], reply, `reply of ${command}`);
          assert.deepEqual(reply, expected);
        },
        timers(...expected: Timer<K>[]) {
          assert.deepEqual(outcome().timers, expected);
        },
      };
    },
  };
}

function fold<S>(actor: Actor, state: S, events: readonly PlainEvent[]): S {
  const next = deepFreeze(evolveAll(actor, state, events));
  inContract(actor.contract.state, next, "state");
  return next;
}

const checks = new WeakMap<TProperties, Check>();
function inContract(schema: TProperties, value: unknown, what: string): void {
  assert.ok(schema, `${what} is not in the contract`);
  const check = checks.get(schema) ?? compileSchema(strictObject(schema));
  checks.set(schema, check);
  const found = check(value);
  assert.equal(found, true, `${what} breaks the contract: ${JSON.stringify(found)}`);
}
