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
        // A look that fails says nothing: the bar says that the server is away.
        const found = await latest.current.load(data).catch(() => undefined);
        const { data: now, set } = latest.current.shown;
        // Something else has been asked for meanwhile.
        if (found === undefined || now !== data || over.signal.aborted) break;
        if (fits(rowsOf(data), rowsOf(found))) set(found);
        else newer.value = found;
      }
      isLooking = false;
    };
    const again = (): void => void look();
    const onVisible = (): void => void (isAsked && look());
    const leave = onTopic(topic, again);
    const timer = setInterval(() => liveState.peek().state !== "live" && again(), LOOK_MS);
    document.addEventListener("visibilitychange", onVisible);
    return () => {
      over.abort();
      leave();
      clearInterval(timer);
      document.removeEventListener("visibilitychange", onVisible);
    };
  }, [topic]);
  const show = (): void => void (newer.value !== undefined && shown.set(newer.value));
  return {
    says: newer.value === undefined ? undefined : newsOf(rowsOf(shown.data ?? newer.value), rowsOf(newer.value)),
    show,
  };
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
