// First answers where a service keeps them, for clusters without Redis: the gateway has no database of its own. The
// service has the actions `claimAnswer`, `finishAnswer` and `releaseAnswer`; `accounts` is one.
import type { ServiceBroker } from "moleculer";
import type { AnswerStore, Claim, Claimed } from "./store.ts";

export class ServiceAnswers implements AnswerStore {
  readonly #broker: ServiceBroker;
  readonly #service: string;
  constructor(broker: ServiceBroker, service: string) {
    this.#broker = broker;
    this.#service = service;
  }

  claim({ scope, fingerprint, owner }: Claim, leaseMs: number): Promise<Claimed> {
    return this.#broker.call<Claimed, object>(`${this.#service}.claimAnswer`, { scope, fingerprint, owner, leaseMs });
  }

  async finish({ scope, owner }: Claim, answer?: string): Promise<boolean> {
    const params = { scope, owner, ...(answer !== undefined && { answer }) };
    const { kept } = await this.#broker.call<{ kept: boolean }, object>(`${this.#service}.finishAnswer`, params);
    return kept;
  }

  async release({ scope, owner }: Claim): Promise<void> {
    await this.#broker.call(`${this.#service}.releaseAnswer`, { scope, owner });
  }
}
