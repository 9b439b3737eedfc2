// An event stream outlives the token that it began with. A stream with an access token of the client's own ends with it. A
// stream with a key, a cookie or an issuer's token asks again before the token ends, and at once when its user's credentials
// have changed: it goes on with the new token, or ends because the credential is refused.
import type { Meta } from "../../contract/index.ts";
import { isRefusal, type Clock } from "../../kernel/index.ts";
import type { Verified } from "../auth/authentication.ts";
import { renewsAt } from "../auth/exchanges.ts";
import { limits } from "../limits.ts";

/** What a timer of Node takes. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export class CallerWatch {
  readonly #clock: Clock;
  readonly #meta: Meta;
  readonly #end: () => void;
  #caller: Verified;
  #timer: NodeJS.Timeout | undefined;
  #ended = false;

  /** `meta`: of the stream's calls, which go on with the new token. `end` is called once, when the caller may ask no more. */
  constructor(caller: Verified, { clock, meta, end }: { clock: Clock; meta: Meta; end: () => void }) {
    this.#caller = caller;
    this.#clock = clock;
    this.#meta = meta;
    this.#end = end;
    this.#wait();
  }

  /** The credentials of the user have changed. */
  async check(): Promise<void> {
    const { renew } = this.#caller;
    if (this.#ended || !renew) return;
    try {
      this.#goOn(await renew());
    } catch (error) {
      // Accounts cannot be reached: the token that is there holds until its end.
      if (isRefusal(error) || this.#leftMs() <= 0) return this.#over();
      this.#wait(Math.min(limits.exchangeRetryMs, this.#leftMs()));
    }
  }

  stop(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
  }

  #goOn(caller: Verified): void {
    if (this.#ended) return;
    this.#caller = caller;
    Object.assign(this.#meta, { user: caller.user, token: caller.token });
    this.#wait();
  }

  #wait(ms = Math.max(limits.exchangeRetryMs, renewsAt(this.#caller) - this.#clock.now())): void {
    clearTimeout(this.#timer);
    if (this.#ended) return;
    const isOwn = this.#caller.renew === undefined;
    const inMs = Math.min(isOwn ? this.#leftMs() : ms, TIMER_MS_MAX);
    this.#timer = setTimeout(() => (isOwn ? this.#over() : void this.check()), inMs);
  }

  #leftMs(): number {
    return this.#caller.expiresAt - this.#clock.now();
  }

  #over(): void {
    if (this.#ended) return;
    this.stop();
    this.#end();
  }
}
