// Short news at the foot of the page, which a screen reader says. They go by themselves, and stay while they are pointed at or have
// the focus. What must not be missed does not belong here.
import { signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { Button } from "./button.tsx";
import { Icon } from "./icon.tsx";

interface Toast {
  readonly id: number;
  readonly text: string;
  readonly action?: { readonly label: string; readonly run: () => void };
}
/** Milliseconds that one stays. With something to do in it, longer. */
const STAYS_MS = 6_000;
const STAYS_WITH_ACTION_MS = 12_000;
/** As many are shown; the oldest goes first. */
const TOASTS_MAX = 3;

const toasts = signal<readonly Toast[]>([]);
let ids = 0;

/** `action`: what takes it back, or leads on. */
export function toast(text: string, action?: Toast["action"]): void {
  toasts.value = [...toasts.value, { id: ++ids, text, ...(action && { action }) }].slice(-TOASTS_MAX);
}
const remove = (id: number): void => void (toasts.value = toasts.value.filter(one => one.id !== id));

export const Toasts = () => (
  <div class="toasts" role="status">
    {toasts.value.map(one => (
      <OneToast key={one.id} {...one} />
    ))}
  </div>
);

function OneToast({ id, text, action }: Toast) {
  const [isHeld, hold] = useState(false);
  useEffect(() => {
    if (isHeld) return undefined;
    const timer = setTimeout(() => remove(id), action ? STAYS_WITH_ACTION_MS : STAYS_MS);
    return () => clearTimeout(timer);
  }, [isHeld]);
  const [held, free] = [() => hold(true), () => hold(false)];
  return (
    <div class="toast" onMouseEnter={held} onMouseLeave={free} onFocusIn={held} onFocusOut={free}>
      <span>{text}</span>
      {action && (
        <Button
          onClick={() => {
            action.run();
            remove(id);
          }}
        >
          {action.label}
        </Button>
      )}
      <Button square aria-label="Dismiss" onClick={() => remove(id)}>
        <Icon name="close" />
      </Button>
    </div>
  );
}
