/**
 * What a person has typed or chosen in `root` before its scripts have come; the returned function, called when they have taken the
 * elements over, brings it back and tells them.
 */
export function keepInput(root: HTMLElement): () => void {
  const changed = [...root.querySelectorAll<HTMLInputElement | HTMLSelectElement>("input, select")]
    .filter(field => field.value !== initialOf(field))
    .map(field => [field, field.value] as const);
  return () => {
    for (const [field, value] of changed) {
      field.value = value;
      for (const type of ["input", "change"]) field.dispatchEvent(new Event(type, { bubbles: true }));
    }
  };
}
const initialOf = (field: HTMLInputElement | HTMLSelectElement): string =>
  field instanceof HTMLInputElement
    ? field.defaultValue
    : (([...field.options].find(option => option.defaultSelected) ?? field.options[0])?.value ?? "");
