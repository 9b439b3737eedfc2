/** The text of a field of the form that is sent; "" where it has none. */
export function textIn(event: SubmitEvent, name: string): string {
  const value = new FormData(event.currentTarget as HTMLFormElement).get(name);
  return typeof value === "string" ? value : "";
}
