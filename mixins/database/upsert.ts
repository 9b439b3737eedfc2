/** Rows to be inserted, or updated where their key is there already. A key may come once only. */
export interface Upsert {
  readonly table: string;
  readonly columns: readonly string[];
  /** The columns of the primary key. */
  readonly keys: readonly string[];
  /** Values in the order of `columns`. */
  readonly rows: readonly (readonly (string | number | boolean | null)[])[];
  /**
   * The columns to set where the key is there already; default: all other columns. Leaving out columns that do not
   * change saves work on their indexes: SQLite rewrites the entry of every index whose columns are set, equal or not.
   */
  readonly set?: readonly string[];
  /** Whether it keeps the runtime's books: then it is seldom a span (`BOOKKEEPING`). Default false. */
  readonly isBookkeeping?: boolean;
}

/** `insert into … (…)`, to be followed by the rows and by `conflict`. */
export const insertInto = ({ table, columns }: Upsert): string => `insert into "${table}" (${quoted(columns)})`;

export function conflict({ columns, keys, set = columns }: Upsert): string {
  const rest = set.filter(column => !keys.includes(column));
  const action = rest.length === 0 ? "nothing" : `update set ${rest.map(c => `"${c}" = excluded."${c}"`).join(", ")}`;
  return `on conflict (${quoted(keys)}) do ${action}`;
}

export const quoted = (columns: readonly string[]): string => columns.map(column => `"${column}"`).join(",");
