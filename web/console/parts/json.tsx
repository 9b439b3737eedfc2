// A value of the record. A large one opens in parts: an object of thousands of lines is not laid out until somebody wants it.
import { useSignal } from "@preact/signals";

/** Characters of a value that is shown at once. */
const SHOWN_MAX = 2_000;

export function Json({ value, label }: { readonly value: unknown; readonly label: string }) {
  const text = JSON.stringify(value, undefined, 2) ?? "nothing";
  if (text.length <= SHOWN_MAX) return <pre class="json">{text}</pre>;
  const entries = Array.isArray(value)
    ? value.map((one, i) => [`${i}`, one] as const)
    : Object.entries(value as object);
  return (
    <div class="stack tight">
      <p class="soft small">
        {label} has {new Intl.NumberFormat().format(text.length)} characters in {entries.length} parts.
      </p>
      {entries.slice(0, PARTS_MAX).map(([name, part]) => (
        <Part key={name} name={name} value={part} />
      ))}
      {entries.length > PARTS_MAX && <p class="soft small">The first {PARTS_MAX} are shown.</p>}
    </div>
  );
}
const PARTS_MAX = 100;

function Part({ name, value }: { readonly name: string; readonly value: unknown }) {
  const isOpen = useSignal(false);
  return (
    <details class="part" onToggle={({ currentTarget }) => (isOpen.value = currentTarget.open)}>
      <summary>
        <code>{name}</code>
      </summary>
      {isOpen.value && <Json value={value} label={name} />}
    </details>
  );
}
