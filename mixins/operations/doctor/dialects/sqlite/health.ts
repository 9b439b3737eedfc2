// Whether a file is undamaged, and its write-ahead log short.
import { exposedOf } from "../../../../kernel/index.ts";
import { fail, megabytes, ok, reasonOf, warn, type Result } from "../../finding.ts";
import { limits } from "../../limits.ts";
import type { SqliteFile } from "./file.ts";

export async function integrityOf(file: SqliteFile): Promise<readonly Result[]> {
  const found = (await problemsOf(file)).join("; ");
  if (found === "") return [ok("quick_check", `${file.place} is whole`)];
  return [
    fail(
      "quick_check",
      `${file.place}: ${found}`,
      "stop every process, keep a copy of the file and its -wal, restore a backup",
    ),
  ];
}

/** Some damage ends the check with an error instead of a row. */
async function problemsOf(file: SqliteFile): Promise<string[]> {
  try {
    const rows = await file.rows<{ quick_check: string }>(`pragma quick_check(${limits.examples})`);
    return rows.map(row => row.quick_check.replaceAll(/\s+/g, " ")).filter(found => found !== "ok");
  } catch (error) {
    return [reasonOf(error)];
  }
}

/** Whether other users can read the file, which holds keys. A start closes it to them if it may. */
export async function modesOf({ place }: SqliteFile): Promise<readonly Result[]> {
  const exposed = exposedOf(place);
  if (exposed.length === 0) return [ok("modes", `${place} is for its user alone`)];
  const paths = exposed.join(", ");
  return [warn("modes", `other users of this machine can look into ${paths}`, `chmod go= ${exposed.join(" ")}`)];
}

export async function walOf(file: SqliteFile): Promise<readonly Result[]> {
  const bytes = file.walBytes();
  return [
    bytes <= limits.walBytes
      ? ok("wal", megabytes(bytes))
      : warn(
          "wal",
          megabytes(bytes),
          "a reader that never ends keeps it from being emptied: find the process that has it open",
        ),
  ];
}
