// Answers for people: tables that fit the terminal, and fields one below the other. Text of an answer may come from anybody, so
// that its control characters are shown and not obeyed.
import type { View } from "../table/operation.ts";
import type { Style, Terminal } from "./terminal.ts";

type Paper = Pick<Terminal, "width" | "paint">;
type Row = Readonly<Record<string, unknown>>;

const limits = {
  /** Columns that text keeps when it has to shrink: with fewer of them nobody knows what it says. */
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

/**
 * Rows below a line of headings. Where the terminal is too narrow, texts are cut, and then the last columns are left out. What
 * the next command needs stays whole, if the terminal has to break its line.
 */
export function tableOf(rows: readonly Row[], columns: readonly string[], { width, paint }: Paper): string {
  if (rows.length === 0) return paint("dim", "none");
  // A column that no row has would only take room.
  const all = columns.map(name => columnOf(name, rows)).filter(({ cells }) => cells.some(text => text !== ""));
  const kept = width === undefined ? all : fitted(all, width);
  const line = (textIn: (column: Column) => string, style: (text: string, name: string) => string): string =>
    kept
      .map((column, i) => {
        const { name, width, isNumber } = column;
        const text = textIn(column);
        const cut = text.length > width ? `${text.slice(0, width - 1)}…` : text;
        const padded = isNumber ? cut.padStart(width) : cut.padEnd(width);
        return style(i === kept.length - 1 ? padded.trimEnd() : padded, name);
      })
      .join(GAP);
  const left = all.filter(({ name }) => !kept.some(one => one.name === name)).map(({ head }) => head);
  return [
    line(
      ({ head }) => head,
      text => paint("bold", text),
    ),
    ...rows.map((_, i) =>
      line(
        ({ cells }) => cells[i]!,
        (text, name) => colored(name, text, paint),
      ),
    ),
    ...(left.length === 0 ? [] : [paint("dim", `no room for: ${left.join(", ")}; --json has all`)]),
  ].join("\n");
}

interface Column {
  readonly name: string;
  readonly head: string;
  readonly cells: readonly string[];
  readonly width: number;
  readonly isNumber: boolean;
  /** Commands name things by it. */
  readonly isKey: boolean;
}

const KEYS = new Set(["id", "name", "subject", "stream", "actor", "command"]);

function columnOf(name: string, rows: readonly Row[]): Column {
  const [head, cells] = [wordsOf(name), rows.map(row => textOf(row[name], name))];
  const isNumber = rows.every(row => typeof row[name] === "number" || row[name] == null);
  const width = Math.max(head.length, ...cells.map(text => text.length));
  return { name, head, cells, width, isNumber, isKey: KEYS.has(name) };
}

/** A part of a number, a time or an id says nothing, or something else. */
const isWhole = ({ name, cells, isNumber, isKey }: Column): boolean =>
  isKey || isNumber || name.endsWith("Id") || cells.every(text => text === "" || SHOWN_TIME.test(text));

function fitted(columns: readonly Column[], width: number): readonly Column[] {
  const room = width - GAP.length * (columns.length - 1);
  const least = columns.map(one => (isWhole(one) ? one.width : Math.min(one.width, limits.columnMin)));
  const leaving = sum(least) > room ? columns.findLast(({ isKey }) => !isKey) : undefined;
  if (leaving)
    return fitted(
      columns.filter(one => one !== leaving),
      width,
    );
  const widths = columns.map(one => one.width);
  for (let over = sum(widths) - room; over > 0; over--) {
    const widest = widestOf(widths, least);
    if (widest < 0) break;
    widths[widest]!--;
  }
  return columns.map((column, i) => ({ ...column, width: widths[i]! }));
}

/** The widest that may shrink; -1 where none may. */
const widestOf = (widths: readonly number[], least: readonly number[]): number => {
  const mayShrink = widths.map((width, i) => (width > least[i]! ? width : 0));
  const most = Math.max(...mayShrink);
  return most === 0 ? -1 : mayShrink.indexOf(most);
};

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);

function fieldsOf(row: Row, paper: Paper, indent = ""): string {
  const entries = Object.entries(row).filter(([name, value]) => textOf(value, name) !== "");
  const width = Math.max(0, ...entries.map(([name]) => wordsOf(name).length));
  return entries
    .map(([name, value]) => {
      const head = paper.paint("bold", wordsOf(name).padEnd(width));
      if (isRow(value) && !isActor(value) && Object.keys(value).length > 0)
        return `${indent}${head}\n${fieldsOf(value, paper, `${indent}${GAP}`)}`;
      if (isList(value)) return `${indent}${head}\n${tableIn(value, paper, `${indent}${GAP}`)}`;
      return `${indent}${head}${GAP}${colored(name, textOf(value, name), paper.paint)}`;
    })
    .join("\n");
}

function tableIn(rows: readonly Row[], { width, paint }: Paper, indent: string): string {
  const columns = [...new Set(rows.flatMap(row => Object.keys(row)))];
  const paper = { paint, width: width === undefined ? undefined : width - indent.length };
  return tableOf(rows, columns, paper).replaceAll(/^/gm, indent);
}

/** Rows, and not names of actors, which one line has room for. */
const isList = (value: unknown): value is readonly Row[] =>
  Array.isArray(value) && value.length > 0 && value.every(one => isRow(one) && !isActor(one));

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

/** As `timeIn` answers it. */
const SHOWN_TIME = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ$/;

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
