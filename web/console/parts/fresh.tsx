// Looks again when the server says that something has changed, and moves no row: what comes or goes waits for a click.
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Button, liveState, type Resource } from "../../kit/index.ts";
import { onTopic, type Topic } from "./live.ts";
import { fits, newsOf, type Rows } from "./news.ts";

/** Milliseconds between two looks while no hints come. */
const LOOK_MS = 15_000;

export interface Fresh {
  /** What is there that is not shown, in words; undefined when that is nothing. */
  readonly says: string | undefined;
  readonly show: () => void;
}

/**
 * `load` is asked at each hint of the topic while the page is visible, and every 15 s while no hints come. Rows that stay where they
 * are get their new values at once.
 */
export function useFresh<T>(
  topic: Topic,
  shown: Resource<T>,
  load: (shown: T) => Promise<T>,
  rowsOf: (data: T) => Rows,
): Fresh {
  const silentIn = (data: T): readonly string[] => (data as { readonly silent?: readonly string[] }).silent ?? [];
  const newer = useSignal<T | undefined>(undefined);
  const latest = useRef({ shown, load });
  latest.current = { shown, load };
  useEffect(() => void (newer.value = undefined), [shown.data]);
  useEffect(() => {
    const over = new AbortController();
    let [isLooking, isAsked] = [false, false];
    const look = async (): Promise<void> => {
      isAsked = true;
      const { data } = latest.current.shown;
      if (isLooking || data === undefined || document.visibilityState !== "visible") return;
      isLooking = true;
      while (isAsked && !over.signal.aborted) {
        isAsked = false;
        // A look that fails says nothing: the bar says that the server is away. It is made again by the timer.
        const found = await latest.current.load(data).catch(() => void (isAsked = true));
        const { data: now, set } = latest.current.shown;
        // Something else has been asked for meanwhile.
        if (found === undefined || now !== data || over.signal.aborted) break;
        const isSilent = silentIn(found).some(name => !silentIn(data).includes(name));
        // Rows whose service does not answer stay where they are until somebody has read it.
        if (fits(rowsOf(data), rowsOf(found)) && !isSilent) set(found);
        else newer.value = found;
      }
      isLooking = false;
    };
    const again = (): void => void look();
    const onVisible = (): void => void (isAsked && look());
    const leave = onTopic(topic, again);
    const timer = setInterval(() => (isAsked || liveState.peek().state !== "live") && again(), LOOK_MS);
    document.addEventListener("visibilitychange", onVisible);
    return () => {
      over.abort();
      leave();
      clearInterval(timer);
      document.removeEventListener("visibilitychange", onVisible);
    };
  }, [topic]);
  const show = (): void => void (newer.value !== undefined && shown.set(newer.value));
  return { says: saysOf(), show };

  function saysOf(): string | undefined {
    const found = newer.value;
    if (found === undefined) return undefined;
    const { data = found } = shown;
    const silent = silentIn(found).filter(name => !silentIn(data).includes(name));
    return silent.length > 0
      ? `No answer from ${new Intl.ListFormat("en").format(silent)}`
      : newsOf(rowsOf(data), rowsOf(found));
  }
}

/** What waits, and the button that shows it. */
export function News({ of }: { readonly of: readonly Fresh[] }) {
  const first = of.find(({ says }) => says !== undefined);
  return (
    <div role="status">
      {first && (
        <div class="notice">
          <div>
            <strong>{first.says}</strong>
          </div>
          <Button size="small" onClick={() => of.forEach(({ show }) => show())}>
            Show what has changed
          </Button>
        </div>
      )}
    </div>
  );
}
