// The lines that a start tells the person at the terminal, in one block once every service of the process is ready:
// addresses, and the password of the first administrator. Services announce it here; the broker's middleware prints it. It
// goes to the standard output and never through the logger, since logs are shipped and kept.

export interface Announcement {
  /** First line of the block, `The hotel is open.`; of several the last. */
  readonly heading?: string;
  /** Label and text of each line; read when the block is printed. */
  lines(this: void): readonly (readonly [label: string, text: string])[];
  /** Runs once the block is printed: a line that is shown only once notes here that a person has seen it. */
  shown?(this: void): Promise<void>;
}

const announcements = new WeakMap<object, Announcement[]>();

/**
 * Adds lines to the block of this process. Call it in `created` or `started`, or before the service says that it is
 * ready.
 */
export function announce({ broker }: { broker: object }, announcement: Announcement): void {
  announcements.set(broker, [...(announcements.get(broker) ?? []), announcement]);
}

/** Takes the announcements so far; they are not kept any longer. */
export function takeAnnouncements(broker: object): readonly Announcement[] {
  const taken = announcements.get(broker) ?? [];
  announcements.delete(broker);
  // Lines that are shown only once come last, where they are seen.
  return taken.toSorted((a, b) => Number(a.shown !== undefined) - Number(b.shown !== undefined));
}

/** The block as it is printed; empty when there is nothing to tell. */
export function announcedText(announced: readonly Announcement[]): string {
  const lines = announced.flatMap(({ lines }) => lines());
  const heading = announced.findLast(({ heading }) => heading !== undefined)?.heading;
  if (heading === undefined && lines.length === 0) return "";
  const width = Math.max(LABEL_CHARS, ...lines.map(([label]) => label.length));
  const told = lines.map(([label, text]) => `  ${label.padEnd(width)} ${text}`);
  return `${["", heading ?? "Ready.", ...told].join("\n")}\n\n`;
}

/** Characters of a label, so that the texts begin in one column. */
const LABEL_CHARS = 10;
