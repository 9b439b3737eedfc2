// How many calls one service may have at work, found by how long its answers take: the gradient limit of Netflix's
// concurrency-limits and of Envoy's adaptive concurrency. Answers that take longer than usual, while many calls are at work,
// mean that calls queue somewhere behind us: there the limit shrinks. It grows again while answers take their usual time.
//
//   1. count   answers of one window are compared with what each route usually takes, so that a search does not count as a
//              slow read. ratio = milliseconds taken / milliseconds usual
//   2. adapt   the limit times tolerance / ratio, at most halved; or, while answers are as usual, plus its square root.
//              A limit that is not used says nothing about itself and stays
//   3. forget  what is usual falls at once and rises slowly, so that an overload does not become the usual
//   4. probe   a gateway that starts into an overload has never seen the usual time. Every 10 s of use half of the limit is
//              tried: when answers become faster by it, calls were queueing, and half of that is tried next
import { limits } from "../limits.ts";

interface RouteTimes {
  usualMs: number | undefined;
  sumMs: number;
  answers: number;
}

export class ConcurrencyLimit {
  readonly #routes = new Map<string, RouteTimes>();
  #value: number = limits.callsPerServiceMax;
  #windowBeganAt: number;
  #usedWindows = 0;
  #answers = 0;
  #atWorkMax = 0;
  /** While half of the limit is tried: the limit before, and whether the calls that were above the half are answered. */
  #probe: { readonly before: number; isSettled: boolean } | undefined;

  constructor(now: number) {
    this.#windowBeganAt = now;
  }

  /** Calls that may be at work at once. */
  get value(): number {
    return Math.floor(this.#value);
  }

  /** A call of this route was answered after so many milliseconds; `atWork` calls were at work then. */
  answered(route: string, ms: number, atWork: number, now: number): void {
    let times = this.#routes.get(route);
    if (!times) this.#routes.set(route, (times = { usualMs: undefined, sumMs: 0, answers: 0 }));
    times.sumMs += ms;
    times.answers++;
    this.#answers++;
    if (atWork > this.#atWorkMax) this.#atWorkMax = atWork;
    if (now - this.#windowBeganAt >= limits.windowMs && this.#answers >= limits.windowAnswersMin) this.#endWindow(now);
  }

  /** The service itself refused a call for want of room. */
  refused(): void {
    this.#set(this.#value * limits.refusedFactor);
  }

  #endWindow(now: number): void {
    const ratio = this.#ratio(now - this.#windowBeganAt);
    const atWork = this.#atWorkMax;
    [this.#windowBeganAt, this.#answers, this.#atWorkMax] = [now, 0, 0];
    if (this.#probe) return this.#endProbe(this.#probe, atWork, ratio);
    if (atWork < this.#value / 2) return;
    const gradient = Math.max(0.5, Math.min(1, limits.slowerTolerated / ratio));
    if (gradient < 1) return this.#set(this.#value * gradient);
    if (++this.#usedWindows % limits.probeWindows === 0) this.#beginProbe();
    else this.#set(this.#value + Math.sqrt(this.#value));
  }

  #beginProbe(): void {
    this.#probe = { before: this.#value, isSettled: false };
    this.#set(this.#value / 2);
  }

  #endProbe(probe: { readonly before: number; isSettled: boolean }, atWork: number, ratio: number): void {
    // Answers to calls from before the trial still come in.
    if (!probe.isSettled) {
      probe.isSettled = atWork <= this.#value + 1;
      return;
    }
    this.#probe = undefined;
    if (ratio > limits.fasterByHalf) this.#set(probe.before);
    else if (this.#value > limits.callsPerServiceMin) this.#beginProbe();
  }

  /** Milliseconds that this window's answers took, by those that they usually take. Learns from the window. */
  #ratio(windowMs: number): number {
    let taken = 0;
    let usual = 0;
    for (const times of this.#routes.values()) {
      if (times.answers === 0) continue;
      const mean = times.sumMs / times.answers;
      times.usualMs ??= mean;
      taken += times.sumMs;
      usual += times.answers * times.usualMs;
      const risen = times.usualMs * (1 + (limits.usualRisePerSecond * Math.min(windowMs, 1_000)) / 1_000);
      times.usualMs = mean < times.usualMs ? (times.usualMs + mean) / 2 : Math.min(risen, mean);
      [times.sumMs, times.answers] = [0, 0];
    }
    return usual === 0 ? 1 : taken / usual;
  }

  #set(value: number): void {
    this.#value = Math.max(limits.callsPerServiceMin, Math.min(limits.callsPerServiceMax, value));
  }
}
