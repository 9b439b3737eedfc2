import { Button } from "../kit/index.ts";
import { QUANTITY_MAX } from "./cart.ts";

/** How many: by steps, or typed. `label` names the product. */
export function Quantity({
  label,
  value,
  onChange,
  min = 1,
}: {
  readonly label: string;
  readonly value: number;
  readonly onChange: (value: number) => void;
  readonly min?: number | undefined;
}) {
  const set = (next: number): void => {
    if (Number.isInteger(next)) onChange(Math.min(QUANTITY_MAX, Math.max(min, next)));
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
        max={QUANTITY_MAX}
        value={value}
        onChange={({ currentTarget }) => {
          set(currentTarget.valueAsNumber);
          currentTarget.value = `${value}`;
        }}
      />
      <Button aria-label="One more" disabled={value >= QUANTITY_MAX} onClick={() => set(value + 1)}>
        +
      </Button>
    </div>
  );
}
