// Bounds the requests that this gateway works on at once, in total and for each address. A request holds a place from
// the moment it is read until its call is answered. A request whose body is still arriving holds none, nor does an
// event stream: the client decides how long those last. A client that leaves while it waits leaves the queue.
import type { Clock } from "../../kernel/index.ts";
import { gatewayErrors } from "../errors.ts";
import { limits } from "../limits.ts";

/** A client: the response to it, of which only the end matters here. */
export interface Client {
  readonly destroyed: boolean;
  once(event: "close", listener: () => void): unknown;
  off(event: "close", listener: () => void): unknown;
}

export interface AdmissionOptions {
  readonly clock: Clock;
  /** Milliseconds that a call may take. Default 0: all are shorter than `stuckMs`. */
  readonly callMsMax?: number;
  /** Logs that all places are taken, and that there are free ones again, at most every 10 s. */
  readonly say?: (message: string) => void;
}

export class Admission {
  readonly #clock: Clock;
  readonly #stuckMs: number;
  readonly #say: (message: string) => void;
  readonly #byAddress = new Map<string, number>();
  readonly #waiting = new Set<() => void>();
  #taken = 0;
  #refused = 0;
  #gaveBackAt = 0;
  #saidAt = -Infinity;
  #said = false;

  constructor({ clock, callMsMax = 0, say = () => {} }: AdmissionOptions) {
    this.#clock = clock;
    this.#stuckMs = Math.max(limits.stuckMs, 1.5 * callMsMax);
    this.#say = say;
  }

  get taken(): number {
    return this.#taken;
  }
  get waiting(): number {
    return this.#waiting.size;
  }
  /** Requests refused since the start. */
  get refused(): number {
    return this.#refused;
  }
  get isFull(): boolean {
    return this.#taken >= limits.requestsMax;
  }
  /** Full, and no place was given back for longer than a call may take: no running request will end without help. */
  get isStuck(): boolean {
    return this.isFull && this.#clock.monotonic() - this.#gaveBackAt > this.#stuckMs;
  }

  /**
   * Does the work when there is a place and resolves to its result; to undefined when the client has left before. Throws
   * Unavailable `SATURATED` (outcome none) when too many requests wait, or too many of this address are here.
   */
  run<T>(address: string, client: Client, work: () => Promise<T>): Promise<T | undefined> {
    const own = this.#byAddress.get(address) ?? 0;
    const full = this.isFull;
    if (own >= limits.requestsPerAddressMax || (full && this.#waiting.size >= limits.requestsWaitingMax)) {
      this.#refused++;
      return Promise.reject(gatewayErrors.SATURATED());
    }
    this.#byAddress.set(address, own + 1);
    if (!full) {
      if (++this.#taken === 1) this.#gaveBackAt = this.#clock.monotonic();
      return this.#atWork(address, client, work);
    }
    this.#tell(true);
    return this.#turn(client).then(hasPlace => {
      if (hasPlace) return this.#atWork(address, client, work);
      this.#leave(address);
      return undefined;
    });
  }

  #atWork<T>(address: string, client: Client, work: () => Promise<T>): Promise<T | undefined> {
    const end = (): void => {
      this.#giveBack();
      this.#leave(address);
    };
    try {
      if (!client.destroyed) return work().finally(end);
      end();
      return Promise.resolve(undefined);
    } catch (error) {
      end();
      return Promise.reject(error);
    }
  }

  #leave(address: string): void {
    const left = this.#byAddress.get(address)! - 1;
    if (left > 0) this.#byAddress.set(address, left);
    else this.#byAddress.delete(address);
  }

  /** Waits for a place; false when the client has left instead. */
  #turn(client: Client): Promise<boolean> {
    return new Promise(resolve => {
      const leave = (): void => {
        this.#waiting.delete(come);
        resolve(false);
      };
      const come = (): void => {
        client.off("close", leave);
        resolve(true);
      };
      if (client.destroyed) return resolve(false);
      client.once("close", leave);
      this.#waiting.add(come);
    });
  }

  /** Hands the place to the request that has waited the longest, so that a newcomer cannot take it first. */
  #giveBack(): void {
    this.#gaveBackAt = this.#clock.monotonic();
    const [next] = this.#waiting;
    if (next) {
      this.#waiting.delete(next);
      return next();
    }
    this.#taken--;
    if (this.#said) this.#tell(false);
  }

  #tell(full: boolean): void {
    if (full === this.#said) return;
    const now = this.#clock.monotonic();
    if (full && now - this.#saidAt < limits.saidAgainMs) return;
    this.#said = full;
    if (full) this.#saidAt = now;
    this.#say(full ? `all ${limits.requestsMax} places are taken: requests wait` : "there are free places again");
  }
}
