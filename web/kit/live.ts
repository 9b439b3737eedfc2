// Hints of the server that something has changed. A browser gives an origin six connections, so one tab of all holds the stream:
// the one that has the Web Lock. The others hear it by a BroadcastChannel. A tab that has been hidden for a minute gives it up.
import { signal, type ReadonlySignal } from "@preact/signals";

export type LiveState = "connecting" | "live" | "paused" | "reconnecting";
export interface Live {
  readonly state: LiveState;
  /** RFC 3339: when the last sign of life came. */
  readonly asOf: string | undefined;
}
/** `hello`: a tab that has just come asks how it stands. */
type Heard<H> = { readonly hint: H } | { readonly live: Live } | { readonly hello: true };

/** Yields hints until the signal ends it, over as many connections as it takes. Throws when it has given up. */
export type Stream<H> = (options: {
  readonly signal: AbortSignal;
  /** To be called with true at each sign of life, and with false when the connection is cut. */
  readonly onLife: (isThere: boolean) => void;
}) => AsyncIterable<H>;

/** Milliseconds that a tab may be hidden before it gives the stream up. */
const HIDDEN_MS = 60_000;
/** Milliseconds without a sign of life, which comes every 15 s, after which nobody takes it for live any more. */
const SILENT_MS = 40_000;
/** Milliseconds until a stream that has given up is asked for again. */
const AGAIN_MS = 10_000;

const live = signal<Live>({ state: "connecting", asOf: undefined });
/** For the bar that says it. */
export const liveState: ReadonlySignal<Live> = live;

/** Calls `onHint` with each hint of the stream, whichever tab holds it, until the returned function is called. */
export function listen<H>(name: string, stream: Stream<H>, onHint: (hint: H) => void): () => void {
  const channel = new BroadcastChannel(`live ${name}`);
  let holds = false;
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel has one origin
  const post = (heard: Heard<H>): void => channel.postMessage(heard);
  const hear = (heard: Heard<H>): void => {
    if ("live" in heard) live.value = heard.live;
    else if ("hint" in heard) onHint(heard.hint);
    else if (holds) post({ live: live.peek() });
  };
  const tell = (heard: Heard<H>): void => {
    hear(heard);
    post(heard);
  };
  channel.addEventListener("message", ({ data }: MessageEvent<Heard<H>>) => hear(data));

  const hold = async (ended: AbortSignal): Promise<void> => {
    holds = true;
    try {
      while (!ended.aborted) {
        await follow(stream, ended, tell);
        await pause(AGAIN_MS, ended);
      }
    } finally {
      holds = false;
    }
  };

  let turn: AbortController | undefined;
  const begin = (): void => {
    if (turn) return;
    turn = new AbortController();
    const { signal: ended } = turn;
    if (live.peek().state === "paused") live.value = { ...live.peek(), state: "connecting" };
    post({ hello: true });
    navigator.locks
      .request(`live ${name}`, { signal: ended }, () => hold(ended))
      // Aborted while it waited for its turn.
      .catch(() => {});
  };
  const end = (): void => {
    turn?.abort();
    turn = undefined;
  };

  const watch = setInterval(() => {
    const { state, asOf } = live.peek();
    if (state === "live" && Date.now() - Date.parse(asOf!) > SILENT_MS)
      live.value = { ...live.peek(), state: "reconnecting" };
  }, 5_000);
  let hidden: ReturnType<typeof setTimeout> | undefined;
  const onVisibility = (): void => {
    clearTimeout(hidden);
    if (document.visibilityState === "visible") return begin();
    hidden = setTimeout(() => {
      end();
      live.value = { ...live.peek(), state: "paused" };
    }, HIDDEN_MS);
  };
  document.addEventListener("visibilitychange", onVisibility);
  onVisibility();
  return () => {
    document.removeEventListener("visibilitychange", onVisibility);
    clearTimeout(hidden);
    clearInterval(watch);
    end();
    channel.close();
  };
}

/** Returns when it is ended, or when the stream has given up. */
async function follow<H>(stream: Stream<H>, ended: AbortSignal, tell: (heard: Heard<H>) => void): Promise<void> {
  const onLife = (isThere: boolean): void => {
    if (ended.aborted) return;
    if (isThere) tell({ live: { state: "live", asOf: new Date().toISOString() } });
    else if (live.peek().state !== "connecting") tell({ live: { ...live.peek(), state: "reconnecting" } });
  };
  try {
    for await (const hint of stream({ signal: ended, onLife })) tell({ hint });
  } catch {
    // Given up, or ended: it is asked for again, unless it is ended.
    onLife(false);
  }
}

const pause = (ms: number, ended: AbortSignal): Promise<void> =>
  new Promise(resolve => {
    const timer = setTimeout(resolve, ended.aborted ? 0 : ms);
    ended.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
