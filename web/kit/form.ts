/** The text of a field of the form that is sent; "" where it has none. */
export function textIn(event: SubmitEvent, name: string): string {
  const value = new FormData(event.currentTarget as HTMLFormElement).get(name);
  return typeof value === "string" ? value : "";
}

/** Puts the focus on the first field that is wrong, or on what is said above them; after the faults have been shown. */
export function focusFault(form: HTMLFormElement): void {
  requestAnimationFrame(() =>
    form.querySelector<HTMLElement>("[aria-invalid='true'], [role='alert']:not(:empty)")?.focus(),
  );
}
