// Hints of the server that something has changed. A browser gives an origin six connections, so one tab of all holds the stream:
// the one that has the Web Lock. The others hear it by a BroadcastChannel. A tab that has been hidden for a minute gives it up.
import { signal, type ReadonlySignal } from "@preact/signals";

export type LiveState = "live" | "paused" | "reconnecting";
interface Live {
  readonly state: LiveState;
  /** RFC 3339: when the last sign of life came. */
  readonly asOf: string | undefined;
}
type Heard = { readonly hint: unknown } | { readonly live: Live };

/** Milliseconds that a tab may be hidden before it gives the stream up. */
const HIDDEN_MS = 60_000;

const live = signal<Live>({ state: "reconnecting", asOf: undefined });
/** For the bar that says it. */
export const liveState: ReadonlySignal<Live> = live;

/** Calls `onHint` with the data of each event of the stream at `url`, until the returned function is called. */
export function listen(url: string, onHint: (data: unknown) => void): () => void {
  const channel = new BroadcastChannel(`live ${url}`);
  const hear = (heard: Heard): void => {
    if ("live" in heard) live.value = heard.live;
    else onHint(heard.hint);
  };
  const tell = (heard: Heard): void => {
    hear(heard);
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel has one origin
    channel.postMessage(heard);
  };
  channel.addEventListener("message", ({ data }: MessageEvent<Heard>) => hear(data));

  let turn: AbortController | undefined;
  const begin = (): void => {
    if (turn) return;
    turn = new AbortController();
    const { signal: ended } = turn;
    navigator.locks
      .request(`live ${url}`, { signal: ended }, () => stream(url, ended, tell))
      // Aborted while it waited for its turn.
      .catch(() => {});
  };
  const end = (): void => {
    turn?.abort();
    turn = undefined;
  };

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
    end();
    channel.close();
  };
}

/** Milliseconds until a stream that was refused is asked for again: the browser itself comes back after a cut only. */
const REFUSED_MS = 10_000;

/** Holds the stream until `ended`. */
async function stream(url: string, ended: AbortSignal, tell: (heard: Heard) => void): Promise<void> {
  while (!ended.aborted) {
    await connection(url, ended, tell);
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, REFUSED_MS);
      ended.addEventListener("abort", () => {
        clearTimeout(timer);
        resolve();
      });
      if (ended.aborted) resolve();
    });
  }
}

/** Resolves when it is ended, or when the browser has given up. */
function connection(url: string, ended: AbortSignal, tell: (heard: Heard) => void): Promise<void> {
  return new Promise(resolve => {
    const source = new EventSource(url);
    const say = (state: LiveState): void => tell({ live: { state, asOf: new Date().toISOString() } });
    source.addEventListener("open", () => say("live"));
    source.addEventListener("error", () => {
      tell({ live: { ...live.peek(), state: "reconnecting" } });
      if (source.readyState === EventSource.CLOSED) resolve();
    });
    source.addEventListener("message", ({ data }: MessageEvent<string>) => {
      say("live");
      tell({ hint: JSON.parse(data) });
    });
    ended.addEventListener("abort", () => {
      source.close();
      resolve();
    });
  });
}
