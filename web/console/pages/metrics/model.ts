// Rates over time as lines. Pure: the view draws what comes out.
export interface Point {
  readonly at: string;
  /** Seconds since the point before. */
  readonly seconds: number;
  readonly requestsPerSecond: number;
  readonly failuresPerSecond: number;
  readonly p50Ms?: number;
  readonly p95Ms?: number;
  readonly p99Ms?: number;
  readonly commandsPerSecond: number;
  readonly eventsPerSecond: number;
  readonly lagEvents?: number;
  readonly lagSeconds?: number;
}
type Figure = Exclude<keyof Point, "at" | "seconds">;
export interface Line {
  readonly name: string;
  readonly figure: Figure;
}
export interface Chart {
  readonly title: string;
  readonly unit: string;
  readonly lines: readonly Line[];
}

export const CHARTS: readonly Chart[] = [
  {
    title: "Requests",
    unit: "a second",
    lines: [
      { name: "all", figure: "requestsPerSecond" },
      { name: "failed", figure: "failuresPerSecond" },
    ],
  },
  {
    title: "Answered within",
    unit: "ms",
    lines: [
      { name: "half of them", figure: "p50Ms" },
      { name: "99 %", figure: "p99Ms" },
      { name: "95 %", figure: "p95Ms" },
    ],
  },
  {
    title: "Written",
    unit: "a second",
    lines: [
      { name: "commands", figure: "commandsPerSecond" },
      { name: "events", figure: "eventsPerSecond" },
    ],
  },
  { title: "Behind", unit: "events", lines: [{ name: "the slowest reader", figure: "lagEvents" }] },
];

/** The ground on which lines are drawn. */
export const WIDTH = 600;
export const HEIGHT = 100;
/** A pause this many times as long as a look is a gap: nobody looked, and nothing is known. */
const GAP = 3;

/** Points of the last minutes before `now`, in milliseconds since the epoch. */
export const within = (points: readonly Point[], minutes: number, now: number): readonly Point[] =>
  points.filter(({ at }) => Date.parse(at) >= now - minutes * 60_000);

/** The end of the scale: the next of 1, 2, 5, 10, 20… that no value exceeds. */
export function topOf(points: readonly Point[], lines: readonly Line[]): number {
  const values = points.flatMap(point => lines.map(({ figure }) => point[figure] ?? 0));
  const largest = Math.max(1, ...values);
  const size = 10 ** Math.floor(Math.log10(largest));
  return [1, 2, 5, 10].map(step => step * size).find(top => top >= largest)!;
}

/** A line as the path of an SVG, over the time from `from` to `to`; broken where there is no value. */
export function pathOf(
  points: readonly Point[],
  figure: Figure,
  {
    from,
    to,
    top,
    everySeconds,
  }: { readonly from: number; readonly to: number; readonly top: number; readonly everySeconds: number },
): string {
  let last = -Infinity;
  const steps = points.flatMap(point => {
    const [value, at] = [point[figure], Date.parse(point.at)];
    if (value === undefined) return [];
    const isBroken = at - last > GAP * everySeconds * 1_000;
    last = at;
    const x = ((at - from) / Math.max(1, to - from)) * WIDTH;
    const y = HEIGHT - (value / top) * HEIGHT;
    return [`${isBroken ? "M" : "L"}${rounded(x)} ${rounded(y)}`];
  });
  return steps.join("");
}
const rounded = (n: number): number => Math.round(n * 10) / 10;
