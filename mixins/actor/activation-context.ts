// An activation's view of its host: the definition, the store, clocks, limits, and where its counts and bugs go.
import type { EventStore, SagaRow } from "../event-store/index.ts";
import type { Span } from "../tracing/index.ts";
import type { Activation } from "./activation.ts";
import type { Actor } from "./define-actor.ts";
import type { ActorLimits } from "./limits.ts";
import type { Loaded } from "./load.ts";
import type { Distribution } from "../metrics/index.ts";
import type { Decided } from "./pipeline.ts";
import type { Prepare } from "./preparing.ts";

export interface ActivationContext {
  readonly actor: Actor;
  readonly store: EventStore;
  readonly limits: ActorLimits;
  /** Milliseconds. */
  readonly monotonic: () => number;
  /** RFC 3339, for decisions. */
  readonly now: () => string;
  /** Loads and folds the stream, for a command whose span is `caller`; by default for the one that is under way. */
  readonly load: (stream: string, caller?: Span) => Promise<Loaded>;
  readonly prepare: Prepare;
  readonly sagaRow?: ((id: string, state: unknown) => SagaRow | undefined) | undefined;
  /** Whether events carry the command that made them. */
  readonly recordCommands: boolean;
  /** Bytes of an event's data, and of a command's answer. */
  readonly bytesMax: () => number;
  readonly newId: (stream: string, version: number, n: number) => string;
  /** Freezes, so that a decision or a fold that changes a state throws. */
  readonly keep: <S>(state: S) => S;
  readonly onBug: (id: string, state: unknown, error: Error) => void;
  /** The activation could not load its stream and is of no more use: the next call has to make another one. */
  readonly onDrop: (activation: Activation) => void;
  readonly count: (what: "command" | "conflict") => void;
  /** Counts a decision that has committed. */
  readonly committed: (decided: Decided) => void;
  /** Measures how long commands wait in a mailbox, in seconds. */
  readonly queueWait: Distribution | undefined;
}
