// The keys whose requests run in this process. They are asked before any store, so that a client's second attempt, which
// mostly reaches the same gateway, costs nothing; and they are all that a route needs whose action is an actor's command.
// Its service decides a command id once, however many gateways send it.
import { InFlight } from "../../kernel/index.ts";

export type FoundRunning = "free" | "running" | "other";

export class RunningKeys {
  /** Fingerprints are made only when two requests meet. */
  readonly #running = new InFlight<string, () => string>();

  /** `free`: the key is this request's until `end`. */
  begin(scope: string, fingerprint: () => string): FoundRunning {
    const first = this.#running.get(scope);
    if (first) return first() === fingerprint() ? "running" : "other";
    this.#running.set(scope, fingerprint);
    return "free";
  }

  end(scope: string): void {
    this.#running.delete(scope);
  }
}
