// How many calls to a service a node may send once more: a share of the calls that it makes, and a few a second on top, so that a node that
// calls rarely can repeat too (the budget of Finagle and Linkerd). Each call puts a part of a retry into the budget, each
// retry takes one out; what is saved is bounded, so that a long quiet time does not pay for a storm.
//
// Without it each call to a service whose nodes all fail would be sent eight times, and the failing service would get eight
// times its load. A call that reached no node waits, and is no load: it takes nothing out.

const limits = {
  /** Retries by calls: with a fifth, a service that fails wholly gets at most 1.2 times its load. */
  share: 0.2,
  /** Retries a second, whatever the number of calls. */
  perSecond: 10,
  /** Retries that can be saved: a node that goes takes up to so many calls with it, and each of them is sent once more. */
  savedMax: 1_000,
  /** Retries at the start: half of that. */
  atFirst: 500,
} as const;

export class RetryBudget {
  #saved: number = limits.atFirst;
  #paidAt: number;

  constructor(now: number) {
    this.#paidAt = now;
  }

  /** A call is made for the first time. */
  deposit(): void {
    this.#saved = Math.min(limits.savedMax, this.#saved + limits.share);
  }

  /** Takes a retry out. False when there is none left. */
  withdraw(now: number): boolean {
    const earned = ((now - this.#paidAt) / 1_000) * limits.perSecond;
    this.#paidAt = now;
    // Time alone does not save more than at the start.
    if (this.#saved < limits.atFirst) this.#saved = Math.min(limits.atFirst, this.#saved + earned);
    if (this.#saved < 1) return false;
    this.#saved--;
    return true;
  }
}

/** A budget for each service that is called: one that fails does not use up those of the others. */
export class RetryBudgets {
  readonly #byService = new Map<string, RetryBudget>();
  /** By action: the name of the service would have to be cut out of it at every call. */
  readonly #byAction = new Map<string, RetryBudget>();

  of(action: string): RetryBudget {
    let budget = this.#byAction.get(action);
    if (!budget) {
      const service = serviceIn(action);
      budget = this.#byService.get(service) ?? new RetryBudget(performance.now());
      this.#byService.set(service, budget);
      this.#byAction.set(action, budget);
    }
    return budget;
  }
}

/** The full name of the service in an action's: `v2.loans` of `v2.loans.open`. */
export const serviceIn = (action: string): string => action.slice(0, action.lastIndexOf("."));
