// One actor's events as server-sent events, without gap or duplicate: the id of an event is its version in the actor's
// stream, so that Last-Event-ID says where to continue. The life of a stream:
//
//   1. resume   the first read, before the response has begun: a refusal of the action is still a problem
//   2. send     each event that was read; a client that does not read is cut, and resumes
//   3. wait     for a hint of a commit, or for the next poll: hints get lost. The stream listens for hints before it reads,
//               otherwise a change between the two would wait for the poll
//   4. end      with the actor's last event, the token, the client or the gateway. A client that comes back after the last
//               event gets a 204, which tells an EventSource to stop
//
// The action is called anew for each read, as the user of the request: it decides whether the user still sees the
// actor.
import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { Context } from "moleculer";
import { answersHead, drained, NOT_KEPT } from "../../http/siblings.ts";
import type { Clock } from "../../kernel/index.ts";
import type { Verified } from "../auth/authentication.ts";
import { gatewayErrors } from "../errors.ts";
import { limits } from "../limits.ts";
import type { ActionTarget, EventSource, Request, StreamedEvent } from "../route/route.ts";
import { Pause } from "@valence/runtime/kernel";
import { CallerWatch } from "./caller-watch.ts";
import { HintStream, type HintReader } from "./hint-stream.ts";
import { HintSampler, type Hints } from "./hints.ts";
import { endStream, STREAM_HEADERS, tokenExpired } from "./stream-answer.ts";

interface Reader {
  readonly source: EventSource;
  readonly request: Request;
  /** The stream ends when its caller may ask no more. */
  readonly caller: Verified;
  /** The network of the client. */
  readonly address: string;
  readonly ctx: Context;
}

/** All open streams, and their limits: for one user, one address and the process. */
export class EventStreams {
  readonly #open = new Set<OpenStream>();
  readonly #watches = new Map<OpenStream, CallerWatch>();
  /** By action. */
  readonly #samplers = new Map<string, HintSampler>();
  readonly #call: EventStreamsOptions["call"];
  readonly #clock: Clock;
  readonly #perUserMax: number;

  constructor({ clock, processes, call }: EventStreamsOptions) {
    this.#clock = clock;
    this.#call = call;
    this.#perUserMax = Math.ceil(limits.streamsPerUserMax / processes);
  }

  get size(): number {
    return this.#open.size;
  }

  /**
   * Opens a stream and resolves when it has ended. Refuses a malformed Last-Event-ID (400), one stream too many (429; 503
   * when the process has too many), a token that has expired (401), and with the action's own refusals.
   */
  async open(req: IncomingMessage, res: ServerResponse, reader: Reader): Promise<void> {
    const last = req.headers["last-event-id"] ?? "0";
    if (typeof last !== "string" || !/^\d{1,15}$/.test(last))
      throw gatewayErrors.BAD_LAST_EVENT_ID({ field: "Last-Event-ID", message: "must be a version" });
    this.#admit(reader);
    await this.#run(new EventStream(res, reader, Number(last)), res);
  }

  /** The same for a stream of hints, which has no place to resume from. */
  async openHints(res: ServerResponse, reader: HintReader): Promise<void> {
    this.#admit(reader);
    const { action } = reader.route.target as ActionTarget;
    const sampler = this.#samplers.get(action) ?? new HintSampler(params => this.#call<Hints>(action, params));
    this.#samplers.set(action, sampler);
    await this.#run(new HintStream(res, reader, sampler), res);
  }

  #admit(reader: Pick<Reader, "caller" | "address">): void {
    // The gateway accepts a token for some seconds after its end; a stream does not outlive its token.
    if (reader.caller.expiresAt <= this.#clock.now()) throw tokenExpired();
    const own = [...this.#open].filter(stream => stream.user === reader.caller.user.id).length;
    if (own >= this.#perUserMax) throw gatewayErrors.TOO_MANY_STREAMS({ streams: limits.streamsPerUserMax });
    const near = [...this.#open].filter(stream => stream.reader.address === reader.address).length;
    if (near >= limits.streamsPerAddressMax)
      throw gatewayErrors.TOO_MANY_STREAMS({ message: "too many streams of one address" });
    if (this.#open.size >= limits.streamsMax)
      throw gatewayErrors.SATURATED({ message: "too many streams at once", retryAfterMs: 10_000 });
  }

  async #run(stream: OpenStream, res: ServerResponse): Promise<void> {
    this.#open.add(stream);
    res.once("close", () => {
      stream.close();
      this.#open.delete(stream);
    });
    const { caller, ctx } = stream.reader;
    const watch = new CallerWatch(caller, { clock: this.#clock, meta: ctx.meta, end: () => stream.expire() });
    this.#watches.set(stream, watch);
    try {
      await stream.run();
    } finally {
      watch.stop();
      this.#watches.delete(stream);
      this.#open.delete(stream);
    }
  }

  /** The service has committed events: its streams read. */
  wake(service: string): void {
    for (const stream of this.#open) if (stream.reads(service)) stream.wake();
  }

  /** The user's credentials have changed: each of their streams asks whether its own still holds. */
  checkCaller(user: string): void {
    for (const [stream, watch] of this.#watches) if (stream.user === user) void watch.check();
  }

  /** Ends all streams. Each client gets another delay for its return, so that they do not all come at once. */
  drain(): void {
    const [least, most] = limits.reconnectMs;
    for (const stream of this.#open) stream.end(Math.round(least + Math.random() * (most - least)));
  }
}

interface EventStreamsOptions {
  readonly clock: Clock;
  /** Number of gateways that share the limit of a user; each allows its share, at least one stream. */
  readonly processes: number;
  /** A call on nobody's behalf: what all streams of hints share. */
  readonly call: <T>(action: string, params: object) => Promise<T>;
}

type OpenStream = EventStream | HintStream;

class EventStream {
  readonly reader: Reader;
  readonly #res: ServerResponse;
  #version: number;
  #hinted = false;
  #expired = false;
  #closed = false;
  readonly #pause = new Pause();

  constructor(res: ServerResponse, reader: Reader, version: number) {
    this.#res = res;
    this.reader = reader;
    this.#version = version;
  }

  get user(): string {
    return this.reader.caller.user.id;
  }
  /** Whether its events come from this service. */
  reads(service: string): boolean {
    return this.reader.source.action.startsWith(`${service}.`);
  }

  /** Reads, sends and waits until it is closed. */
  async run(): Promise<void> {
    let events = await this.#resume();
    if (this.#closed && !this.#res.destroyed) throw this.#expired ? tokenExpired() : gatewayErrors.STOPPING();
    if (this.#closed) return;
    if (events === "over") return void this.#res.writeHead(204, { "Cache-Control": NOT_KEPT }).end();
    this.#res.writeHead(200, STREAM_HEADERS);
    if (answersHead(this.#res)) return void this.#res.end();
    this.#res.write("retry: 2000\n\n");
    const heartbeat = setInterval(() => {
      if (!this.#res.writableNeedDrain) this.#res.write(":\n\n");
    }, limits.heartbeatMs);
    try {
      while (!this.#closed) {
        for (const event of events) {
          await this.#send(event);
          if (this.reader.source.last.has(event.type)) return this.end();
        }
        if (events.length === 0) await this.#hint();
        if (this.#closed) return;
        events = await this.#read();
      }
    } finally {
      clearInterval(heartbeat);
    }
  }

  wake(): void {
    this.#hinted = true;
    this.#pause.end();
  }

  close(): void {
    this.#closed = true;
    this.#pause.end();
  }

  /** The token has expired. */
  expire(): void {
    this.#expired = true;
    this.end();
  }

  end(retryMs?: number): void {
    if (this.#closed) return;
    this.close();
    endStream(this.#res, retryMs);
  }

  /** The events after the version that the client has seen. Refuses a version that the actor has not reached. */
  async #resume(): Promise<readonly StreamedEvent[] | "over"> {
    if (this.#version === 0) return this.#read();
    const [seen, ...events] = await this.#read(this.#version);
    if (seen?.version !== this.#version)
      throw gatewayErrors.BAD_LAST_EVENT_ID({
        field: "Last-Event-ID",
        message: `is past the ${this.reader.source.actor}'s last version`,
      });
    return this.reader.source.last.has(seen.type) ? "over" : events;
  }

  async #read(from: number = this.#version + 1): Promise<readonly StreamedEvent[]> {
    this.#hinted = false;
    const { source, request, ctx } = this.reader;
    const params = { ...source.params(request), from };
    const { events } = await ctx.call<{ events: readonly StreamedEvent[] }, object>(source.action, params);
    return events.filter(event => event.version >= from);
  }

  /** Sends one event. A client that leaves its socket full is cut and resumes by Last-Event-ID. */
  async #send(event: StreamedEvent): Promise<void> {
    if (this.#closed) return;
    this.#version = event.version;
    const { source, request } = this.reader;
    const name = event.type.slice(event.type.indexOf(".") + 1);
    const text = JSON.stringify(source.data(event, request));
    if (this.#res.write(`id: ${event.version}\nevent: ${name}\ndata: ${text}\n\n`)) return;
    await drained(this.#res, limits.streamStallMs);
  }

  /** Waits for a hint or for the next poll; a burst of hints makes one read. */
  async #hint(): Promise<void> {
    await sleep(limits.streamPauseMs);
    if (this.#hinted || this.#closed) return;
    await this.#pause.wait(limits.streamPollMs);
  }
}
