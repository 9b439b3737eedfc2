// Names of a build's tables in the database. Postgres keeps 63 bytes of a name and drops the rest silently, so that two long
// names could mean one table.
import { createHash } from "node:crypto";

/** Characters, all of one byte: six less than Postgres keeps, for the suffix of an index or a key. */
const NAME_MAX = 57;
const DIGEST_CHARS = 12;

interface Build {
  readonly version: number;
  readonly build: number;
  /** The tables with which it was made. */
  readonly tables?: readonly string[];
}

/** A long name ends in a digest of the whole; a build that was made before this rule keeps its name. */
export function physicalName(projection: string, { version, build, tables }: Build, table: string): string {
  const whole = `${projection}_v${version}${build > 1 ? `_b${build}` : ""}_${table}`.replaceAll(/\W/g, "_");
  if (whole.length <= NAME_MAX || tables?.includes(whole)) return whole;
  const digest = createHash("sha256").update(whole).digest("hex").slice(0, DIGEST_CHARS);
  return `${whole.slice(0, NAME_MAX - DIGEST_CHARS - 1)}_${digest}`;
}
