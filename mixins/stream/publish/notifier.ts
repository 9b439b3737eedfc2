import { Utils, type ServiceBroker } from "moleculer";
import type { EventStore, StoredEvent } from "../../event-store/index.ts";
import { type Cursor as StoreCursor, COMMITTED, type Committed, type LogEvent } from "../index.ts";
import { listedServices } from "../../contract/index.ts";

const limits = {
  /** Milliseconds between two hints: a busy store commits hundreds of times a second, and consumers read cheaper in batches. */
  hintMs: 25,
  /** Events read at once for the plain events. */
  batch: 500,
  /** Milliseconds between two looks for events that other processes have committed. */
  lookMs: 500,
};

export interface NotifierOptions {
  readonly broker: ServiceBroker;
  /** Full name of the service that owns the store. */
  readonly service: string;
  readonly store: Pick<EventStore, "onCommit" | "readAll" | "head">;
  /** Decodes a stored event into the form that others see. */
  readonly decode: (event: StoredEvent) => LogEvent;
}

/** Starts to notify. Returns the function that ends it. */
export function startNotifier(options: NotifierOptions): () => void {
  const endHints = hintAtCommits(options);
  const events = new PlainEvents(options);
  return () => {
    endHints();
    events.stop();
  };
}

/** Hints at the first commit at once, and once more after `hintMs` if others have followed. */
function hintAtCommits({ broker, service, store }: NotifierOptions): () => void {
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
 * Emits the plain events, in the log's order, from the moment on at which a service listens. Among the nodes that run
 * the service the first by name does it: two would emit every event twice.
 */
class PlainEvents {
  readonly #options: NotifierOptions;
  readonly #timer: NodeJS.Timeout;
  readonly #endCommits: () => void;
  readonly #look = (): void => this.#lookAround();
  /** The cursor after the last event that was emitted; undefined while no service listens. */
  #cursor: StoreCursor | undefined;
  #active = false;
  #reading = false;
  #again = false;

  constructor(options: NotifierOptions) {
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
    this.#emit()
      .catch((error: unknown) => this.#options.broker.logger.debug("plain events were not emitted", error))
      .finally(() => (this.#reading = false));
  }

  async #emit(): Promise<void> {
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
