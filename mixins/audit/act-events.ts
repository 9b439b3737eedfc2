// The shapes of the events that record acts (acts.ts). Pure.
import Type, { type TProperties } from "typebox";

const details = Type.Optional(Type.Record(Type.String(), Type.Unknown()));
const requested = { action: Type.String(), details };
const answered = {
  ...requested,
  /** `failed`: it is not known whether it took effect. */
  outcome: Type.Enum(["done", "refused", "failed"]),
  error: Type.Optional(Type.String()),
};

/** By the part of their name after the actor's: `operation.requested`. */
export const ACT_EVENTS = { requested, answered };

/** The shape of an event that records acts; undefined for other types. An event of a contract may have such a name, too. */
export function actEvent(type: string): TProperties | undefined {
  const [, word = ""] = type.split(".");
  return Object.hasOwn(ACT_EVENTS, word) ? ACT_EVENTS[word as keyof typeof ACT_EVENTS] : undefined;
}
