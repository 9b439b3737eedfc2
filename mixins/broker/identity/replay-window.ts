// Takes each number once. Numbers rise by one a packet; those that come late are taken while they lie within the window, as
// in IPsec (RFC 4303, 3.4.3). A packet that is sent again by somebody who has read it is dropped.
import { IDENTITY_LIMITS as limits } from "./limits.ts";

const SIZE = limits.windowPackets;

export class ReplayWindow {
  #highest = 0;
  readonly #seen = new Uint8Array(SIZE);

  /** Whether the number is new. Call it for packets that are proven, else a forged number would move the window. */
  take(number: number): boolean {
    if (number > this.#highest) {
      // Numbers of one sender go to many receivers, so that each sees gaps.
      if (number - this.#highest >= SIZE) this.#seen.fill(0);
      else for (let skipped = this.#highest + 1; skipped < number; skipped++) this.#seen[skipped % SIZE] = 0;
      this.#highest = number;
    } else if (number <= this.#highest - SIZE || this.#seen[number % SIZE] === 1) return false;
    this.#seen[number % SIZE] = 1;
    return true;
  }
}
