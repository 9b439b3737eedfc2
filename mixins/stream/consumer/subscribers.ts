// The services that consume or have sagas, remembered by a service that owns events in its own database. The registry
// forgets a service that is away, and events that it has not handled must not be archived meanwhile.
import type { Service, ServiceBroker } from "moleculer";
import { streamTables } from "../tables.ts";
import type { Database } from "../../database/index.ts";
import { listedServices, type ListedService } from "../../contract/index.ts";

/** A service that may still need events, or call actors. */
export interface Subscriber {
  readonly service: string;
  readonly isAvailable: boolean;
  readonly hasSagas: boolean;
}

export class Subscribers {
  readonly #database: Database;
  readonly #broker: ServiceBroker;
  readonly #written = new Set<string>();
  readonly #look = (): void => {
    this.#remember().catch((error: unknown) => this.#broker.logger.debug("consumers were not remembered", error));
  };

  private constructor(database: Database, broker: ServiceBroker) {
    this.#database = database;
    this.#broker = broker;
    broker.localBus.on("$services.changed", this.#look);
  }

  /** From now on every service with consumers or sagas that shows up is remembered. */
  static async open(service: Service): Promise<Subscribers> {
    const subscribers = new Subscribers(await streamTables(service), service.broker);
    subscribers.#look();
    return subscribers;
  }

  stop(): void {
    this.#broker.localBus.off("$services.changed", this.#look);
  }

  /** All that have ever appeared, except those that were forgotten. */
  async all(): Promise<Subscriber[]> {
    await this.#remember();
    const here = new Map(this.#listed().map(({ fullName, metadata }) => [fullName, metadata]));
    const rows: { service: string }[] = await this.#database.knex("subscribers").orderBy("service").select("service");
    return rows.map(({ service }) => ({
      service,
      isAvailable: here.has(service),
      hasSagas: here.get(service)?.sagas !== undefined,
    }));
  }

  /** Forgets services that will not come back. A service that is available is remembered again at the next look. */
  async forget(services: readonly string[]): Promise<void> {
    await this.#database.knex("subscribers").whereIn("service", services).delete();
    for (const service of services) this.#written.delete(service);
  }

  #listed(): ListedService[] {
    return listedServices(this.#broker, { onlyAvailable: true }).filter(
      ({ metadata }) => metadata?.consumers !== undefined || metadata?.sagas !== undefined,
    );
  }

  async #remember(): Promise<void> {
    const names = new Set(this.#listed().map(({ fullName }) => fullName)).difference(this.#written);
    if (names.size === 0) return;
    const rows = [...names].map(service => ({ service }));
    await this.#database.knex("subscribers").insert(rows).onConflict("service").ignore();
    for (const name of names) this.#written.add(name);
  }
}
