// One request on its way through the gateway: it waits, is begun or refused, has a call at work, and ends. Whatever it holds (one
// of its address's requests, one of its service's calls) is given back exactly once, also when its client leaves.
import type { Clock } from "../../kernel/index.ts";
import { gatewayErrors } from "../errors.ts";
import { limits } from "../limits.ts";
import type { Client } from "./admission.ts";
import type { Priority } from "./priority.ts";
import type { Share } from "./share.ts";

export interface Entrant {
  /** The service that will be called; each has a share of its own. */
  readonly service: string;
  /** Identifies the route: each has its own usual time. */
  readonly route: string;
  readonly priority: Priority;
  /** The network of the client. */
  readonly address: string;
  readonly client: Client;
  /**
   * Whether the request counts among those at work from its start on. A body that is still on its way, and an event
   * stream, would count for as long as the client likes.
   */
  readonly counts: () => boolean;
  /** Begins the request. */
  readonly begin: (turn: Turn) => void;
  /** The client has left after the request was begun, before its answer was written. */
  readonly leave: () => void;
  /** Answers 503 in place of it. */
  readonly refuse: (error: Error) => void;
}

/** The entrance, as a turn needs it. */
interface Gate {
  refuse(entrant: Entrant): void;
  leaveAddress(address: string): void;
  decideSoon(): void;
}

/** One request's turn: from its arrival until its answer is written, or its call is answered when the client has left. */
export class Turn {
  readonly entrant: Entrant;
  /** Monotonic milliseconds. */
  readonly arrivedAt: number;
  /** The same moment by the clock that measures waiting. */
  readonly queuedAt: number;
  readonly #gate: Gate;
  readonly #share: Share;
  readonly #clock: Clock;
  #isCounted = false;
  #isAtWork = false;
  #hasEnded = false;
  #holdsAddress = true;
  #hasBegun = false;
  readonly #leave = (): void => {
    if (this.#hasBegun) this.entrant.leave();
    this.end();
  };

  constructor(gate: Gate, share: Share, entrant: Entrant, clock: Clock, now: number) {
    this.#gate = gate;
    this.#share = share;
    this.#clock = clock;
    this.entrant = entrant;
    this.arrivedAt = clock.monotonic();
    this.queuedAt = now;
    entrant.client.once("close", this.#leave);
  }

  get hasLeft(): boolean {
    return this.#hasEnded || this.entrant.client.destroyed;
  }

  begin(): void {
    if (this.entrant.counts()) this.#count();
    else this.#leaveAddress();
    this.#hasBegun = true;
    this.entrant.begin(this);
  }

  refuse(): void {
    if (this.hasLeft) return this.end();
    this.end();
    this.#gate.refuse(this.entrant);
  }

  /**
   * Makes the request's call, and learns from how long its answer takes. Throws Unavailable `SATURATED` (outcome none)
   * when a request whose body was late finds the service's share taken.
   */
  async work<T>(call: () => Promise<T>): Promise<T> {
    const share = this.#share;
    if (!this.#isCounted) {
      if (share.atWork >= limits.callsPerServiceMax) throw gatewayErrors.SATURATED();
      this.#count();
    }
    this.#isAtWork = true;
    const beganAt = this.#clock.monotonic();
    const learn = (): void => {
      const now = this.#clock.monotonic();
      share.limit.answered(this.entrant.route, now - beganAt, share.atWork, now);
    };
    try {
      const answer = await call();
      learn();
      return answer;
    } catch (error) {
      const { type } = error as { type?: unknown };
      if (type === "TOO_MANY_CALLS") share.limit.refused();
      else if (type === "REQUEST_TIMEOUT") learn();
      throw error;
    } finally {
      this.#isAtWork = false;
      if (this.#hasEnded) this.#uncount();
    }
  }

  /** The answer is written, or the client has left. A call that is at work then still counts. */
  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.entrant.client.off("close", this.#leave);
    this.#leaveAddress();
    if (!this.#isAtWork) this.#uncount();
  }

  #count(): void {
    this.#isCounted = true;
    this.#share.atWork++;
  }

  #uncount(): void {
    if (!this.#isCounted) return;
    this.#isCounted = false;
    this.#share.atWork--;
    if (this.#share.waiting > 0) this.#gate.decideSoon();
  }

  #leaveAddress(): void {
    if (!this.#holdsAddress) return;
    this.#holdsAddress = false;
    this.#gate.leaveAddress(this.entrant.address);
  }
}
