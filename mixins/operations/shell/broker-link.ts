// The way to the services for a terminal whose process has a broker: one that has started them, or a node of its own on the bus.
import type { ServiceBroker } from "moleculer";
import type { User } from "../../contract/index.ts";
import { namesOf } from "../names.ts";
import type { Names } from "./completion.ts";
import type { Link } from "./link.ts";

/** Who acts: a person whom the other nodes believe, by an access token or since they trust the bus; or the node itself. */
export type Actor = { readonly user: User } | { readonly token: string } | {};

export interface BrokerLinkOptions {
  readonly about: string;
  readonly actor: Actor;
  /** Whether Moleculer's `call` acts as the same person; otherwise it speaks for nobody. */
  readonly isActorEverywhere?: boolean;
}

export class BrokerLink implements Link {
  readonly about: string;
  readonly broker: ServiceBroker;
  /** The process ends by itself when its broker does. */
  readonly ended: Promise<string> = new Promise(() => {});
  readonly #own: ServiceBroker;
  readonly #meta: object;

  constructor(broker: ServiceBroker, { about, actor, isActorEverywhere = false }: BrokerLinkOptions) {
    this.about = about;
    this.#own = broker;
    this.#meta = actor;
    const call = (action: string, params: object, options: { meta?: object } = {}): Promise<unknown> =>
      broker.call(action, params, { ...options, meta: { ...options.meta, ...actor } });
    this.broker = isActorEverywhere ? (Object.create(broker, { call: { value: call } }) as ServiceBroker) : broker;
  }

  call(action: string, params: object): Promise<unknown> {
    return this.#own.call(action, params, { meta: this.#meta });
  }

  async names(): Promise<Names> {
    return namesOf(this.#own);
  }

  close(): Promise<void> {
    return this.#own.stop();
  }
}
