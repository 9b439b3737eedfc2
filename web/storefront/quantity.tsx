import { Button } from "../kit/index.ts";
import { QUANTITY_MAX } from "./cart-lines.ts";

/** How many: by steps, or typed. `label` names the product. */
export function Quantity({
  label,
  value,
  onChange,
  min = 1,
  max = QUANTITY_MAX,
}: {
  readonly label: string;
  readonly value: number;
  readonly onChange: (value: number) => void;
  readonly min?: number | undefined;
  /** As many as there are. */
  readonly max?: number | undefined;
}) {
  const set = (next: number): void => {
    if (Number.isInteger(next)) onChange(Math.max(min, Math.min(max, next)));
  };
  return (
    <div class="quantity" role="group" aria-label={`Quantity of ${label}`}>
      <Button aria-label="One less" disabled={value <= min} onClick={() => set(value - 1)}>
        −
      </Button>
      <input
        type="number"
        inputMode="numeric"
        aria-label="Quantity"
        min={min}
        max={max}
        value={value}
        onChange={({ currentTarget }) => {
          set(currentTarget.valueAsNumber);
          currentTarget.value = `${value}`;
        }}
      />
      <Button aria-label="One more" disabled={value >= max} onClick={() => set(value + 1)}>
        +
      </Button>
    </div>
  );
}
