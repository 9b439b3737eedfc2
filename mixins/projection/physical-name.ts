// Names of a build's tables in the database. Postgres keeps 63 bytes of a name and drops the rest without a word: two long
// names would be one table's.
import { createHash } from "node:crypto";

/** Characters, all of one byte, so that what is added for an index or the key has room. */
const NAME_MAX = 57;
const DIGEST_CHARS = 12;

interface Build {
  readonly version: number;
  readonly build: number;
  /** The tables that it was made with. */
  readonly tables?: readonly string[];
}

/** A long name ends in a digest of the whole; in a build that was made before that, it is what it was. */
export function physicalName(projection: string, { version, build, tables }: Build, table: string): string {
  const whole = `${projection}_v${version}${build > 1 ? `_b${build}` : ""}_${table}`.replaceAll(/\W/g, "_");
  if (whole.length <= NAME_MAX || tables?.includes(whole)) return whole;
  const digest = createHash("sha256").update(whole).digest("hex").slice(0, DIGEST_CHARS);
  return `${whole.slice(0, NAME_MAX - DIGEST_CHARS - 1)}_${digest}`;
}
