// A source for tests: a service that owns events kept in an array, and answers for them as an actor service does.
import { type Service, type ServiceBroker, type ServiceSchema } from "moleculer";
import { publishLog, type Publisher } from "../siblings.ts";
import type { RelayLimits } from "../publish/relay.ts";
import type { CursorFault } from "./identity.ts";
import type { LogEntry } from "./part.ts";
import { COMMITTED, type Cursor, type LogEvent, type LogPage, type ReadLog } from "./source.ts";

/** How often the log had been put back when an event was written; a process that was killed begins the same log again. */
const lives = new WeakMap<LogEvent, number>();

export class Source {
  readonly service: string;
  readonly actor: string;
  readonly types: readonly string[];
  readonly log: LogEvent[] = [];
  /** Changes the events that readers get: tests lose, repeat and break them here. */
  tamper: (events: LogEvent[]) => LogEvent[] = events => events;
  /** Whether commits are hinted at. */
  hints = true;
  relayLimits: Partial<RelayLimits> = {};
  /** Events of one stream that an answer holds, as if more were larger than the bus carries. */
  streamPage = Infinity;
  /** Awaited before a relay reads a page, with its broker. */
  beforePage: (broker: ServiceBroker) => Promise<void> = async () => {};
  /** Pages that were asked for; not the questions about a place, or the end of the log. */
  reads = 0;
  /** Whether the owner is of a release that knows no marks. */
  isOld = false;
  #life = 0;
  #broker: ServiceBroker | undefined;
  readonly #listeners = new Set<() => void>();

  constructor(service: string, actor: string, types: readonly string[]) {
    this.service = service;
    this.actor = actor;
    this.types = types;
  }

  /** Appends an event; its version is the next of its stream. */
  append(stream: string, type: string, data: unknown = {}): LogEvent {
    const version = this.log.filter(event => event.stream === stream).length + 1;
    const event = this.make(stream, version, type, data);
    lives.set(event, this.#life);
    this.log.push(event);
    if (this.hints) {
      void this.#broker?.broadcast(COMMITTED, { service: this.service });
      for (const listener of this.#listeners) listener();
    }
    return event;
  }

  make(stream: string, version: number, type: string, data: unknown = {}): LogEvent {
    const eventId = `${this.actor}.${stream}@${version}`;
    const at = new Date().toISOString();
    return { eventId, type, actor: this.actor, stream, version, at, data, metadata: {} } as unknown as LogEvent;
  }

  /** The log is put back from a copy that had so many events. */
  restore(events: number): void {
    this.log.splice(events);
    this.#life++;
  }

  /** The mark at a cursor: an event that was written after the log was put back is another one, even with the same content. */
  markAt(cursor: Cursor): string | undefined {
    const event = this.log[Number(cursor) - 1];
    if (this.isOld || event === undefined) return undefined;
    return `${cursor}/${lives.get(event) ?? 0}`;
  }

  #faultAt(cursor: Cursor, mark: string | undefined): CursorFault | undefined {
    if (this.isOld || (Number(cursor) <= this.log.length && (mark === undefined || mark === this.markAt(cursor))))
      return undefined;
    return { reason: `${mark} is not in the log`, head: `${this.log.length || ""}`, actor: this.actor };
  }

  /** A page of the log, without tampering. */
  #page(cursor: Cursor, limit: number, mark?: string): LogPage {
    const fault = this.#faultAt(cursor, mark);
    if (fault) return { events: [], cursor, fault };
    const from = Number(cursor);
    const events = this.log.slice(from, from + limit);
    const next = `${from + events.length || ""}`;
    return { events, cursor: next, mark: this.markAt(next) };
  }

  schema(): ServiceSchema {
    const connect = (broker: ServiceBroker): void => void (this.#broker = broker);
    const publish = (service: Service): Promise<Publisher | undefined> =>
      publishLog(
        service,
        {
          read: async (cursor, limit, mark) => {
            const page = this.#page(cursor, limit, mark);
            await this.beforePage(service.broker);
            return page;
          },
          readPart: async (cursor, limit, mark, takes) => {
            const { events, fault, ...place } = this.#page(cursor, limit, mark);
            await this.beforePage(service.broker);
            const entries = events.map((event, i): LogEntry => {
              const stream = `${event.actor}.${event.stream}`;
              const at = `${Number(cursor) + i + 1}`;
              return { stream, event: takes(stream) ? event : undefined, cursor: at, mark: () => this.markAt(at) };
            });
            const isAtEnd = events.length < limit;
            return { entries, cursor: place.cursor, mark: place.mark, isAtEnd, ...(fault && { fault }) };
          },
          head: async cursor => ({ cursor: `${this.log.length || ""}`, behind: this.log.length - Number(cursor) }),
          onCommit: listener => {
            this.#listeners.add(listener);
            return () => void this.#listeners.delete(listener);
          },
        },
        this.relayLimits,
      );
    let publisher: Publisher | undefined;
    return {
      name: this.service,
      metadata: { actor: this.actor, events: Object.fromEntries(this.types.map(type => [type, 1])) },
      actions: {
        relay: () => publisher?.status(),
        readLog: ({ params: { cursor, mark, limit, stream } }: { params: ReadLog }): LogPage => {
          if (limit > 0) this.reads++;
          const from = Number(cursor);
          if (limit === 0) {
            const head = {
              behind: Math.max(0, this.log.length - from),
              ...(!this.isOld && { head: `${this.log.length || ""}` }),
            };
            return { ...this.#page(cursor, 0, mark), ...head };
          }
          if (stream) {
            const own = this.log.filter(event => event.stream === stream.id && event.version >= stream.from);
            own.sort((a, b) => a.version - b.version);
            return { events: own.slice(0, Math.min(limit, this.streamPage)), cursor };
          }
          const page = this.#page(cursor, limit, mark);
          return { ...page, events: this.tamper([...page.events]), origin: publisher?.origin };
        },
      },
      created() {
        connect(this.broker);
      },
      async started(this: Service) {
        publisher = await publish(this);
      },
      async stopped() {
        await publisher?.stop();
      },
    };
  }
}
