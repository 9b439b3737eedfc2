// Supposed commands, for people who ask what an actor would decide: the command is decided on the durable state and thrown away. Nothing is
// written, no timer is set, and nobody is called: what `prepare` would find must be given, since a `prepare` may call anything.
import { deepFreeze, isRefusal, plainError } from "../kernel/index.ts";
import { callErrors, compileParams, refusedOf, strictObject, type Snapshot } from "../contract/index.ts";
import { decide, decisionOf } from "./decision.ts";
import type { Actor, PlainEvent, Timer } from "./define-actor.ts";
import { actorErrors } from "./errors.ts";
import { decisionId } from "./history.ts";

export interface Supposed {
  readonly command: string;
  readonly params: Readonly<Record<string, unknown>>;
  /** The result that the command's `prepare` would have. */
  readonly prepared?: unknown;
}

export type WouldDecide = { readonly id: string; readonly version: number; readonly command: string } & (
  | {
      readonly outcome: "decides";
      readonly events: readonly PlainEvent[];
      readonly timers: readonly Timer<any>[];
      /** The state after the events. */
      readonly after: unknown;
    }
  | { readonly outcome: "refuses" | "fails"; readonly error: object }
);

/**
 * @throws Refusal `COMMAND_UNKNOWN`, `VALIDATION_ERROR` for params that the command does not take, `NEEDS_PREPARED` where the
 * command prepares and `prepared` is not given
 */
export function wouldDecide(
  actor: Actor,
  { id, version, state }: Snapshot<unknown>,
  { command, params, prepared }: Supposed,
  now: string,
): WouldDecide {
  mustBeCommand(actor, command);
  const checked = checkedParams(actor, command, params);
  if (actor.prepare?.[command] && prepared === undefined)
    throw actorErrors.NEEDS_PREPARED({ field: "prepared", command });
  const head = { id, version, command };
  // A copy: a decision that changes its state must not reach the one that the activation keeps.
  const before = deepFreeze(structuredClone(state));
  let ids = 0;
  const decision = decisionOf(id, now, () => decisionId(`${actor.contract.actor}.${id}`, version, ids++));
  try {
    const { events, timers, state: after } = decide(actor, before, command, checked, decision, prepared);
    return { ...head, outcome: "decides", events, timers, after };
  } catch (error) {
    if (isRefusal(error)) return { ...head, outcome: "refuses", error: refusedOf(error)! };
    const { type, message } = plainError(error);
    return { ...head, outcome: "fails", error: { type, message } };
  }
}

function mustBeCommand({ contract }: Actor, command: string): void {
  if (Object.hasOwn(contract.commands, command)) return;
  const known = Object.keys(contract.commands).join(", ");
  throw actorErrors.COMMAND_UNKNOWN({ field: "command", actor: contract.actor, command, known });
}

/** The params as the action of the command would get them. */
function checkedParams({ contract }: Actor, command: string, params: Supposed["params"]): unknown {
  const copy = structuredClone(params);
  const issues = compileParams(strictObject(contract.commands[command]))(copy);
  if (issues === true) return copy;
  const named = issues.map(issue => ({ ...issue, field: `params.${issue.field}` }));
  throw callErrors.VALIDATION_ERROR({ errors: named });
}
