// Answers for people: tables that fit the terminal, and fields one below the other. Text of an answer may come from anybody, so
// that its control characters are shown and not obeyed.
import type { View } from "../table/operation.ts";
import type { Style, Terminal } from "./terminal.ts";

type Paper = Pick<Terminal, "width" | "paint">;
type Row = Readonly<Record<string, unknown>>;

const limits = {
  /** Columns that a column of a table keeps when it has to shrink. */
  columnMin: 8,
};
const GAP = "  ";

/** The answer, as lines. */
export function shown(answer: unknown, view: View, paper: Paper): string {
  if (!isRow(answer)) return textOf(answer);
  const lists = "list" in view ? { [view.list]: view.columns } : (view.tables ?? {});
  const fields = Object.entries(answer).filter(([name, value]) => !(name in lists) && value !== undefined);
  const tables = Object.entries(lists).flatMap(([name, columns]) => {
    const entries = answer[name];
    if (!Array.isArray(entries)) return [];
    const rows = "rows" in view && view.rows ? view.rows(entries) : (entries as Row[]);
    const title = "list" in view ? [] : [`${paper.paint("bold", wordsOf(name))}:`];
    return [[...title, tableOf(rows, columns, paper)].join("\n")];
  });
  const { nextCursor, ...others } = Object.fromEntries(fields) as Row;
  const more = typeof nextCursor === "string" ? paper.paint("dim", `more: --cursor ${nextCursor}`) : "";
  const details = fieldsOf(others, paper);
  return ("list" in view ? [...tables, details, more] : [details, ...tables, more]).filter(Boolean).join("\n");
}

/** Rows below a line of headings. The widest columns give way to a width that is too small for all. */
export function tableOf(rows: readonly Row[], columns: readonly string[], { width, paint }: Paper): string {
  if (rows.length === 0) return paint("dim", "none");
  // A column that no row has would only take room.
  const kept = columns.filter(name => rows.some(row => cell(row, name) !== ""));
  const cells = rows.map(row => kept.map(name => cell(row, name)));
  const heads = kept.map(wordsOf);
  const wide = kept.map((_, i) => Math.max(heads[i]!.length, ...cells.map(line => line[i]!.length)));
  const widths = width === undefined ? wide : fitted(wide, width - GAP.length * (kept.length - 1));
  const isNumber = kept.map(name => rows.every(row => typeof row[name] === "number" || row[name] == null));
  const line = (texts: readonly string[], style: (text: string, i: number) => string): string =>
    texts
      .map((text, i) => {
        const cut = text.length > widths[i]! ? `${text.slice(0, widths[i]! - 1)}…` : text;
        const padded = isNumber[i] ? cut.padStart(widths[i]!) : cut.padEnd(widths[i]!);
        return style(i === texts.length - 1 ? padded.trimEnd() : padded, i);
      })
      .join(GAP);
  return [
    line(heads, text => paint("bold", text)),
    ...cells.map(texts => line(texts, (text, i) => colored(kept[i]!, text, paint))),
  ].join("\n");
}

const cell = (row: Row, name: string): string => textOf(row[name], name);

function fitted(wide: readonly number[], room: number): number[] {
  const widths = [...wide];
  for (let over = sum(widths) - room; over > 0; over--) {
    const widest = widths.indexOf(Math.max(...widths));
    if (widths[widest]! <= limits.columnMin) break;
    widths[widest]!--;
  }
  return widths;
}
const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);

function fieldsOf(row: Row, paper: Paper, indent = ""): string {
  const entries = Object.entries(row).filter(([name, value]) => textOf(value, name) !== "");
  const width = Math.max(0, ...entries.map(([name]) => wordsOf(name).length));
  return entries
    .map(([name, value]) => {
      const head = paper.paint("bold", wordsOf(name).padEnd(width));
      if (isRow(value) && !isActor(value) && Object.keys(value).length > 0)
        return `${indent}${head}\n${fieldsOf(value, paper, `${indent}${GAP}`)}`;
      return `${indent}${head}${GAP}${colored(name, textOf(value, name), paper.paint)}`;
    })
    .join("\n");
}

const isRow = (value: unknown): value is Row => typeof value === "object" && value !== null && !Array.isArray(value);

/** `lagEvents` is "lag events". */
const wordsOf = (name: string): string =>
  plain(name).replaceAll(/([a-z])([A-Z])/g, (_, a, b) => `${a} ${b.toLowerCase()}`);

/** A value in one line. */
export function textOf(value: unknown, name = ""): string {
  if (value === undefined || value === null) return "";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "number") return name.endsWith("Ms") ? durationOf(value) : `${value}`;
  if (typeof value === "string") return plain(timeIn(value));
  if (Array.isArray(value) && value.every(item => typeof item !== "object")) return plain(value.join(", "));
  if (isActor(value)) return plain(`${value.type} ${value.id}`);
  if (Array.isArray(value) && value.every(isActor)) return plain(value.map(one => `${one.type} ${one.id}`).join(", "));
  return plain(JSON.stringify(value));
}

/** `loan 0198c7`, as it is named in commands. */
function isActor(value: unknown): value is { type: string; id: string } {
  if (!isRow(value)) return false;
  const { type, id, ...others } = value;
  return typeof type === "string" && typeof id === "string" && Object.keys(others).length === 0;
}

/** A time of RFC 3339 in UTC, without the parts that nobody reads. */
const timeIn = (text: string): string =>
  /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(text) ? `${text.slice(0, 10)} ${text.slice(11, 19)}Z` : text;

function durationOf(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < 3_600_000) return `${(ms / 60_000).toFixed(1)} min`;
  return ms < 86_400_000 ? `${(ms / 3_600_000).toFixed(1)} h` : `${(ms / 86_400_000).toFixed(1)} d`;
}

/** A terminal would obey a control character, and some mark text as running from right to left. */
export const plain = (text: string): string =>
  text.replaceAll(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, char => {
    if (char === "\n") return "\\n";
    return `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });

const STATES: Readonly<Record<string, Style>> = {
  stuck: "red",
  open: "yellow",
  "half-open": "yellow",
  stopped: "red",
  full: "red",
  FAIL: "red",
  error: "red",
  warn: "yellow",
  building: "yellow",
  compensating: "yellow",
  ok: "green",
  live: "green",
  completed: "green",
};
const isState = (name: string): boolean => name === "state" || name === "status" || name === "severity";

function colored(name: string, text: string, paint: Paper["paint"]): string {
  const style = isState(name) ? STATES[text.trim()] : undefined;
  return style ? paint(style, text) : text;
}
