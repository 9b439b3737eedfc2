// How the databases report a broken constraint: SQLite by extended result code, Postgres by SQLSTATE.
const UNIQUE = new Set<unknown>([2067, 1555, "23505"]);
const FOREIGN_KEY = new Set<unknown>([787, "23503"]);

const said = (error: unknown, codes: ReadonlySet<unknown>): boolean => {
  const { errcode, code } = (error ?? {}) as { errcode?: unknown; code?: unknown };
  return codes.has(errcode) || codes.has(code);
};

/** A row with the same unique or primary key is there already. */
export const isUniqueViolation = (error: unknown): boolean => said(error, UNIQUE);
/** A row that this one refers to is not there, or is still referred to. */
export const isForeignKeyViolation = (error: unknown): boolean => said(error, FOREIGN_KEY);
