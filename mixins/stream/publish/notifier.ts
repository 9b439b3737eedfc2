import { Utils, type ServiceBroker } from "moleculer";
import type { EventStore, StoredEvent, StoredPage } from "../../event-store/index.ts";
import { type Cursor as StoreCursor, COMMITTED, type Committed, type LogEvent } from "../index.ts";
import { listedServices } from "../../contract/index.ts";

const limits = {
  /** Milliseconds between two hints: a busy store commits hundreds of times a second, and consumers read cheaper in batches. */
  hintMs: 25,
  /** Streams that a hint names: 2 kB of text. A hint about more names none. */
  streamsMax: 50,
  /** Events read at once for the plain events. */
  batch: 500,
  /** Milliseconds between two looks for events that other processes have committed. */
  lookMs: 500,
};

export interface NotifierOptions {
  readonly broker: ServiceBroker;
  /** Full name of the service that owns the store. */
  readonly service: string;
  readonly store: Pick<EventStore, "onCommit" | "head"> & {
    readAll(cursor: StoreCursor, limit: number): Promise<Pick<StoredPage, "events" | "cursor">>;
  };
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
  const written = new Set<string>();
  const hint = (): void => {
    const streams = written.size <= limits.streamsMax ? [...written] : undefined;
    written.clear();
    void broker.broadcast(COMMITTED, { service, ...(streams && { streams }) } satisfies Committed);
    timer = setTimeout(() => {
      timer = undefined;
      if (written.size > 0) hint();
    }, limits.hintMs).unref();
  };
  const end = store.onCommit((_events, streams) => {
    for (const stream of streams) if (written.size <= limits.streamsMax) written.add(stream);
    if (timer === undefined) hint();
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
      for (const event of page.events.map(decode))
        if (event.broken === undefined) void broker.emit(event.type, event, inTrace(event));
    }
  }
}

/** Listeners work in the trace of the command that the event is of. */
const inTrace = ({ metadata: { traceparent, tracestate } }: LogEvent) =>
  traceparent === undefined ? {} : { headers: { traceparent, ...(tracestate !== undefined && { tracestate }) } };
