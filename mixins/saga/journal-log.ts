// The journals of a service's sagas as a log of its own, for the audit: which step was sent, answered, refused or taken back,
// when, in which trace and on whose behalf, and what operators did to it. Params and results of steps stay here: the events
// that those have led to are in the logs of their owners. No carrier publishes it.
import type { Service } from "moleculer";
import { contentBytesMax, eventIdOf } from "../kernel/index.ts";
import { fittingOf, readLogOf, toLogEvent } from "../actor/siblings.ts";
import { PlaceChecks, type EventStore, type StoredEvent } from "../event-store/index.ts";
import { JOURNALS, releasedByAll, sourceOfJournals, Subscribers, type Released } from "../stream/siblings.ts";
import type { LogEvent, LogPage, ReadLog } from "../stream/index.ts";
import type { Journal } from "./journal.ts";

export class JournalLog {
  readonly #service: Service;
  readonly #store: EventStore;
  readonly #places: PlaceChecks;
  readonly #journals: ReadonlyMap<string, Journal>;
  readonly #subscribers: Subscribers;

  private constructor(
    service: Service,
    store: EventStore,
    journals: ReadonlyMap<string, Journal>,
    subscribers: Subscribers,
  ) {
    this.#service = service;
    this.#store = store;
    this.#places = new PlaceChecks(store);
    this.#journals = journals;
    this.#subscribers = subscribers;
  }

  /** `journals`: by the names of their sagas. */
  static async open(service: Service, store: EventStore, journals: ReadonlyMap<string, Journal>): Promise<JournalLog> {
    return new JournalLog(service, store, journals, await Subscribers.open(service));
  }

  stop(): void {
    this.#subscribers.stop();
  }

  async read({ cursor, mark, limit, stream }: ReadLog): Promise<LogPage> {
    const bytesMax = contentBytesMax(this.#service.broker);
    const log = { actor: JOURNALS, read: (event: StoredEvent) => this.#entryOf(event) };
    if (!stream) return readLogOf(log, this.#store, this.#places, cursor, limit, mark, bytesMax);
    const prefix = this.#streamOf("");
    if (!stream.id.startsWith(prefix)) return { events: [], cursor };
    const found = await this.#store.readStream(stream.id.slice(prefix.length), stream.from, limit);
    const fitting = found.slice(0, fittingOf(found, bytesMax));
    return { events: fitting.flatMap(event => this.#entryOf(event) ?? []), cursor };
  }

  /** Services that will not come back, and are no longer waited for. */
  forget(services: readonly string[]): Promise<void> {
    return this.#subscribers.forget(services);
  }

  /** Ids of the sagas that nobody has to read any more: the cold part of a journal is not in this log. */
  async released(
    saga: string,
    streams: readonly { readonly id: string; readonly version: number }[],
  ): Promise<Released> {
    const prefix = this.#streamOf(`${saga}.`);
    const source = sourceOfJournals(this.#service.fullName);
    const asked = streams.map(({ id, version }) => ({ id: prefix + id, version }));
    const { ids, kept } = await releasedByAll(
      this.#service.broker,
      { source, streams: asked },
      // No saga calls a journal.
      (await this.#subscribers.all()).map(subscriber => ({ ...subscriber, hasSagas: false })),
    );
    return { ids: new Set([...ids].map(id => id.slice(prefix.length))), kept };
  }

  /** With the service's name before it: nobody else can write to such a stream. */
  #streamOf(key: string): string {
    return `${this.#service.fullName}.${key}`;
  }

  #entryOf(event: StoredEvent): LogEvent | undefined {
    const journal = this.#journals.get(event.stream.split(".", 1)[0]!);
    // The actors that share the store have a log of their own.
    if (!journal) return undefined;
    const stream = this.#streamOf(event.stream);
    const read = toLogEvent(journal, event);
    const data = read.broken === undefined ? told(read.data) : {};
    const eventId = eventIdOf(`${JOURNALS}.${stream}`, event.version);
    const entry: object = { ...read, actor: JOURNALS, stream, eventId, data };
    return entry as LogEvent;
  }
}

/** An entry without what steps were given and what they answered. */
function told({
  event,
  undo,
  params: _params,
  result: _result,
  answer: _answer,
  ...rest
}: Readonly<Record<string, any>>): object {
  return {
    ...rest,
    ...(event && { startedBy: event.eventId }),
    ...(undo && { undo: { step: undo.step, action: undo.action } }),
  };
}
