// Keys that work on every screen. What they open is loaded when somebody presses one.
import { signal, useSignalEffect } from "@preact/signals";
import type { ComponentType } from "preact";
import { useEffect } from "preact/hooks";
import { wantedBy } from "./wanted.ts";

/** What is open above the screen. */
export const opened = signal<"find" | "keys" | undefined>(undefined);

const above = signal<ComponentType<{ what: "find" | "keys" }> | undefined>(undefined);
/** Mounted once it is there, and not before: what is typed at once is not lost to a second mount. */
async function load(): Promise<void> {
  above.value ??= (await import("./above.tsx")).default;
}

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
  useSignalEffect(() => void (opened.value && load()));
  const Above = above.value;
  return opened.value && Above ? <Above what={opened.value} /> : null;
}
