// Server-sent events of one resource, each once and in order, until the last one. A connection that is cut is taken up again
// after the last event that came (`Last-Event-ID`); the server answers 204 when there is none left. `EventSource` could not
// say who asks, tells no refusal from a cut, and is not in Node.
import { isOf, isUncertain, isUndone, pause, renewed, requestOf, type CallOptions, type Sending } from "./call.ts";
import { ProblemError, problemIn } from "./problem.ts";

const limits = {
  /** Milliseconds without a byte. The server sends at least a comment every 15 s. */
  silentMs: 45_000,
  /** Milliseconds before a cut connection is taken up again; the pause doubles with each that brings nothing. */
  pauseMs: 250,
  pauseMsMax: 15_000,
  /** Connections in a row that bring nothing: two minutes. Then the follower throws. */
  emptyMax: 12,
} as const;

export interface FollowOptions extends Pick<CallOptions, "signal" | "headers"> {
  /** Id of the last event that is known: those after it follow. */
  readonly after?: string | number;
  /** Called with true whenever the server says something, every 15 s at least, and with false when the connection is cut. */
  readonly onLife?: (isThere: boolean) => void;
}

/** The data of each event. Throws ProblemError for a refusal, or when the server is away for long; or the signal's reason. */
export async function* follow(sending: Sending, { after, onLife }: FollowOptions = {}): AsyncGenerator<unknown> {
  const { client, signal } = sending;
  let last = after === undefined ? undefined : String(after);
  let isRenewed = false;
  for (let empty = 0; ;) {
    const credentials = client.credentials?.headers() ?? {};
    const connection = new Connection(signal, onLife);
    let waitMs: number | undefined;
    try {
      const response = await connection.open(sending, {
        ...credentials,
        ...(last !== undefined && { "Last-Event-ID": last }),
      });
      if (response.status === 204) return;
      for await (const { id, data } of connection.events(response)) {
        empty = 0;
        isRenewed = false;
        last = id ?? last;
        yield data;
      }
      // The server has ended it: after the last event, with the caller's token, or because it stops; then it names a time.
      waitMs = connection.retryMs ?? (empty++ === 0 ? 0 : undefined);
    } catch (error) {
      signal?.throwIfAborted();
      const problem = error instanceof ProblemError ? error : new ProblemError("NO_ANSWER", { cause: error });
      if (!isRenewed && (isRenewed = await renewed(sending, problem, credentials))) continue;
      if (!(isUndone(problem) || isUncertain(problem)) || ++empty > limits.emptyMax) throw problem;
      waitMs = problem.retryAfterMs;
    } finally {
      connection.close();
      onLife?.(false);
    }
    waitMs ??= Math.min(limits.pauseMs * 2 ** empty, limits.pauseMsMax) * (0.5 + Math.random() / 2);
    await pause(Math.min(waitMs, limits.pauseMsMax), signal);
  }
}

interface Event {
  readonly id: string | undefined;
  readonly data: unknown;
}

/** One connection, which is cut when nothing has come for long. */
class Connection {
  /** Milliseconds until the server wants to see the client again, if that was its last word. */
  retryMs: number | undefined;
  readonly #cut = new AbortController();
  readonly #signal: AbortSignal;
  readonly #onLife: FollowOptions["onLife"];
  #watch: ReturnType<typeof setTimeout> | undefined;

  constructor(signal: AbortSignal | undefined, onLife: FollowOptions["onLife"]) {
    this.#onLife = onLife;
    this.#signal = signal ? AbortSignal.any([signal, this.#cut.signal]) : this.#cut.signal;
  }

  async open({ client, headers, ...sending }: Sending, own: Readonly<Record<string, string>>): Promise<Response> {
    this.#stay();
    const response = await (client.fetch ?? fetch)((client.url ?? "") + requestOf(sending).url, {
      headers: { Accept: "text/event-stream", ...own, ...client.headers, ...headers },
      cache: "no-store",
      redirect: "manual",
      signal: this.#signal,
    });
    if (!isOf(response, "text/event-stream")) throw await problemIn(response);
    this.#onLife?.(true);
    return response;
  }

  async *events({ body }: Response): AsyncGenerator<Event> {
    // Neither is every browser's stream iterable, nor does every one decode.
    const reader = body!.getReader();
    const decoder = new TextDecoder();
    for (let text = ""; ;) {
      const { done, value } = await reader.read();
      // An event that is not whole is sent again.
      if (done) return;
      this.#stay();
      this.#onLife?.(true);
      const blocks = (text + decoder.decode(value, { stream: true })).split("\n\n");
      text = blocks.pop()!;
      for (const block of blocks) {
        const { id, data, retry } = fieldsOf(block);
        if (retry !== undefined) this.retryMs = Number(retry);
        if (data === undefined) continue;
        this.retryMs = undefined;
        yield { id, data: JSON.parse(data) };
      }
    }
  }

  close(): void {
    clearTimeout(this.#watch);
    this.#cut.abort();
  }

  #stay(): void {
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => this.#cut.abort(), limits.silentMs);
  }
}

/** Fields of one event, as this API writes them: one line each. */
const fieldsOf = (block: string): Readonly<Record<string, string | undefined>> =>
  Object.fromEntries(
    block.split("\n").map(line => {
      const at = line.indexOf(":");
      return [line.slice(0, at), line.slice(at + 1).trimStart()];
    }),
  );
