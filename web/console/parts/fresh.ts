// Looks again while somebody looks, and shows nothing by itself: rows do not move under the pointer. What is new waits for a click.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Resource } from "../../kit/index.ts";

/** Milliseconds between two looks. */
const LOOK_MS = 15_000;

export interface Fresh {
  /** Something is there that is not shown. */
  readonly isThere: boolean;
  readonly show: () => void;
}

/** `sign`: two answers with the same sign show the same. `load` is asked again every 15 s while the page is visible. */
export function useFresh<T>(shown: Resource<T>, load: () => Promise<T>, sign: (data: T) => string): Fresh {
  const newer = useSignal<T | undefined>(undefined);
  const { data, set } = shown;
  useEffect(() => {
    newer.value = undefined;
    if (data === undefined) return undefined;
    let isOver = false;
    const look = async (): Promise<void> => {
      if (document.visibilityState !== "visible") return;
      // A look that fails says nothing: the screen itself says it when it is read again.
      const found = await load().catch(() => undefined);
      if (found === undefined || isOver) return;
      if (sign(found) === sign(data)) set(found);
      else newer.value = found;
    };
    const timer = setInterval(() => void look(), LOOK_MS);
    return () => {
      isOver = true;
      clearInterval(timer);
    };
  }, [data]);
  return { isThere: newer.value !== undefined, show: () => newer.value !== undefined && set(newer.value) };
}
