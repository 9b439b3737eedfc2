// Keys that work on every screen. What they open is loaded when somebody presses one.
import { signal } from "@preact/signals";
import { ErrorBoundary, lazy } from "preact-iso";
import { useEffect } from "preact/hooks";
import { wantedBy } from "./wanted.ts";

/** What is open above the screen. */
export const opened = signal<"find" | "keys" | undefined>(undefined);

const Above = lazy(() => import("./above.tsx"));

export function Keys() {
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent): void => {
      const wanted = wantedBy(event, event.target as HTMLElement);
      // A dialog that is open has its own keys.
      if (wanted === undefined || document.querySelector("dialog[open]")) return;
      event.preventDefault();
      opened.value = wanted;
    };
    document.addEventListener("keydown", onKeyDown);
    return () => document.removeEventListener("keydown", onKeyDown);
  }, []);
  return <ErrorBoundary>{opened.value && <Above what={opened.value} />}</ErrorBoundary>;
}
