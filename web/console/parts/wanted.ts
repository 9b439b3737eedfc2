type Key = Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "altKey">;

/** What a key asks for: Ctrl-K or ⌘K finds, `?` shows the keys. In a field `?` is a letter. */
export function wantedBy(
  { key, ctrlKey, metaKey, altKey }: Key,
  { tagName, isContentEditable }: Pick<HTMLElement, "tagName" | "isContentEditable">,
): "find" | "keys" | undefined {
  if (altKey) return undefined;
  if (ctrlKey || metaKey) return key.toLowerCase() === "k" ? "find" : undefined;
  const isField = isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(tagName);
  return key === "?" && !isField ? "keys" : undefined;
}
