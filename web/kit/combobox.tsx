// A field with suggestions, by the pattern of the ARIA practices: the focus stays in the field, arrows choose, Enter takes, Escape
// closes.
/* oxlint-disable jsx-a11y/no-noninteractive-element-to-interactive-role, jsx-a11y/click-events-have-key-events -- no element of HTML is a list of suggestions, and the field has the keys */
import { useId, useState } from "preact/hooks";

export interface Choice {
  readonly value: string;
  readonly label: string;
}

export function Combobox({
  label,
  choices,
  value,
  onInput,
  onChoose,
  placeholder,
}: {
  readonly label: string;
  /** Those that fit the text; the caller filters. */
  readonly choices: readonly Choice[];
  readonly value: string;
  readonly onInput: (text: string) => void;
  readonly onChoose: (choice: Choice) => void;
  readonly placeholder?: string | undefined;
}) {
  const id = useId();
  const [isOpen, setOpen] = useState(false);
  const [at, setAt] = useState(0);
  const shown = isOpen && choices.length > 0;
  const take = (choice: Choice | undefined): void => {
    if (choice) onChoose(choice);
    setOpen(false);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      setOpen(true);
      setAt(shown ? (at + step + choices.length) % choices.length : 0);
    } else if (event.key === "Enter" && shown) {
      event.preventDefault();
      take(choices[at]);
    } else if (event.key === "Escape" && shown) {
      event.stopPropagation();
      setOpen(false);
    }
  };
  return (
    <div class="field combobox">
      <label for={id}>{label}</label>
      <input
        class="input"
        id={id}
        role="combobox"
        autocomplete="off"
        aria-expanded={shown}
        aria-controls={`${id}-list`}
        aria-autocomplete="list"
        aria-activedescendant={shown ? `${id}-${at}` : undefined}
        placeholder={placeholder}
        value={value}
        onInput={({ currentTarget }) => {
          setOpen(true);
          setAt(0);
          onInput(currentTarget.value);
        }}
        onKeyDown={onKeyDown}
        onBlur={() => setOpen(false)}
      />
      <ul id={`${id}-list`} role="listbox" aria-label={label} hidden={!shown}>
        {choices.map((choice, n) => (
          <li
            key={choice.value}
            id={`${id}-${n}`}
            role="option"
            aria-selected={n === at}
            // The field would lose the focus, and the list be gone, before the click.
            onMouseDown={event => event.preventDefault()}
            onClick={() => take(choice)}
          >
            {choice.label}
          </li>
        ))}
      </ul>
    </div>
  );
}
