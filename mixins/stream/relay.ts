// What leaves a service after its commits: the hint that wakes consumers, and each durable event once more as a plain
// Moleculer event (`order.placed`) for services that want only a notification. Both may be lost: who must not miss an
// event is a consumer. It runs beside the commands, so it costs nothing where nobody listens.
import { Utils, type ServiceBroker } from "moleculer";
import { listedServices } from "../contract/index.ts";
import type { Cursor as StoreCursor, EventStore, StoredEvent } from "../event-store/index.ts";
import { COMMITTED, type Committed, type LogEvent } from "./source.ts";

const limits = {
  /** Milliseconds between two hints: a busy store commits hundreds of times a second, a consumer is cheaper in batches. */
  hintMs: 25,
  /** Events read at once for the plain events. */
  batch: 500,
  /** Milliseconds between two looks for events that other processes have committed. */
  lookMs: 500,
};

export interface RelayOptions {
  readonly broker: ServiceBroker;
  /** Full name of the service that owns the store. */
  readonly service: string;
  readonly store: Pick<EventStore, "onCommit" | "readAll" | "head">;
  /** A stored event as others see it. */
  readonly decode: (event: StoredEvent) => LogEvent;
}

/** Starts to publish. Answers what ends it. */
export function startRelay(options: RelayOptions): () => void {
  const endHints = hintAtCommits(options);
  const notifier = new Notifier(options);
  return () => {
    endHints();
    notifier.stop();
  };
}

/** The first commit is told at once, those within the next 25 ms together at their end. */
function hintAtCommits({ broker, service, store }: RelayOptions): () => void {
  let timer: NodeJS.Timeout | undefined;
  let more = false;
  const hint = (): void => {
    more = false;
    void broker.broadcast(COMMITTED, { service } satisfies Committed);
    timer = setTimeout(() => {
      timer = undefined;
      if (more) hint();
    }, limits.hintMs).unref();
  };
  const end = store.onCommit(() => {
    if (timer === undefined) hint();
    else more = true;
  });
  return () => {
    end();
    clearTimeout(timer);
  };
}

/**
 * Emits the plain events, in the log's order, from the moment on at which somebody listens. Of several nodes that run
 * the service the first by name does it: two would tell everything twice.
 */
class Notifier {
  readonly #options: RelayOptions;
  readonly #timer: NodeJS.Timeout;
  readonly #endCommits: () => void;
  readonly #look = (): void => this.#lookAround();
  /** Where it stands; undefined while there is nobody to tell. */
  #cursor: StoreCursor | undefined;
  #active = false;
  #reading = false;
  #again = false;

  constructor(options: RelayOptions) {
    this.#options = options;
    const { broker, store } = options;
    broker.localBus.on("$services.changed", this.#look);
    this.#timer = setInterval(() => this.#wake(), limits.lookMs).unref();
    this.#endCommits = store.onCommit(() => this.#wake());
    this.#lookAround();
  }

  stop(): void {
    this.#active = false;
    clearInterval(this.#timer);
    this.#endCommits();
    this.#options.broker.localBus.off("$services.changed", this.#look);
  }

  #lookAround(): void {
    const { broker, service } = this.#options;
    const services = listedServices(broker, { onlyAvailable: true, withEvents: true });
    const [own] = services.filter(({ fullName }) => fullName === service);
    const types = Object.keys(own?.metadata?.events ?? {});
    const patterns = services.flatMap(({ events = {} }) => Object.keys(events)).filter(name => name !== COMMITTED);
    const heard = types.some(type => patterns.some(pattern => Utils.match(type, pattern)));
    const nodes = services.filter(({ fullName }) => fullName === service).map(({ nodeID }) => nodeID);
    this.#active = heard && nodes.sort()[0] === broker.nodeID;
    if (!this.#active) this.#cursor = undefined;
    this.#wake();
  }

  #wake(): void {
    if (!this.#active) return;
    this.#again = true;
    if (this.#reading) return;
    this.#reading = true;
    this.#tell()
      .catch((error: unknown) => this.#options.broker.logger.debug("plain events were not emitted", error))
      .finally(() => (this.#reading = false));
  }

  async #tell(): Promise<void> {
    const { broker, store, decode } = this.#options;
    this.#cursor ??= (await store.head("")).cursor;
    while (this.#active && this.#again) {
      this.#again = false;
      const page = await store.readAll(this.#cursor, limits.batch);
      this.#cursor = page.cursor;
      if (page.events.length === limits.batch) this.#again = true;
      for (const event of page.events.map(decode)) if (event.broken === undefined) void broker.emit(event.type, event);
    }
  }
}
