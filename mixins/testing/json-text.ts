/** Characters of a line. */
const LINE_CHARS = 120;

/** A value as the text of a JSON file, in prettier's format: a short list of plain values in one line. */
export function jsonText(data: unknown): string {
  const value = String.raw`(?:"(?:[^"\\]|\\.)*"|[\w.+-]+)`;
  const text = JSON.stringify(data, undefined, 2).replaceAll(
    new RegExp(String.raw`^(.*)\[\n\s+(${value}(?:,\n\s+${value})*)\n\s+\]`, "gm"),
    (whole, before: string, items: string) => {
      const line = `${before}[${items.replaceAll(/\n\s+/g, " ")}]`;
      return line.length < LINE_CHARS ? line : whole;
    },
  );
  return `${text}\n`;
}
