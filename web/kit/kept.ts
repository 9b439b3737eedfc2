// A value that the browser remembers, as a signal; for good, or `session`: as long as the tab. Where storage is refused it lives as
// long as the page.
import { effect, signal, type Signal } from "@preact/signals";
import { afterHydration, isBrowser } from "./prerendered.ts";

type Place = "local" | "session";
const storageOf = (place: Place): Storage => (place === "local" ? localStorage : sessionStorage);

export function kept<T>(name: string, initial: T, place: Place = "local"): Signal<T> {
  const value = signal<T>(initial);
  if (!isBrowser) return value;
  const restore = (): void => void (value.value = (read(name, place) as T | undefined) ?? initial);
  afterHydration(() => {
    restore();
    let isFirst = true;
    effect(() => {
      const text = JSON.stringify(value.value);
      if (isFirst) return void (isFirst = false);
      try {
        storageOf(place).setItem(name, text);
      } catch {
        // Full, or refused.
      }
    });
  });
  // Another tab has changed it.
  addEventListener("storage", event => {
    if (place === "local" && event.key === name) restore();
  });
  return value;
}

function read(name: string, place: Place): unknown {
  try {
    const text = storageOf(place).getItem(name);
    return text === null ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
