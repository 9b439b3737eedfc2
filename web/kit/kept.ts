// A value that the browser remembers, as a signal. Where storage is refused it lives as long as the page.
import { effect, signal, type Signal } from "@preact/signals";

export function kept<T>(name: string, initial: T): Signal<T> {
  const value = signal<T>((read(name) as T | undefined) ?? initial);
  let isFirst = true;
  effect(() => {
    const text = JSON.stringify(value.value);
    if (isFirst) return void (isFirst = false);
    try {
      localStorage.setItem(name, text);
    } catch {
      // Full, or refused.
    }
  });
  // Another tab has changed it.
  addEventListener("storage", event => {
    if (event.key === name) value.value = (read(name) as T | undefined) ?? initial;
  });
  return value;
}

function read(name: string): unknown {
  try {
    const text = localStorage.getItem(name);
    return text === null ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
