// Actors whose records could not be read: their commands are refused until a person has repaired them.
import { count, fail, ok, type Result } from "./finding.ts";
import { limits } from "./limits.ts";
import type { Tables } from "./tables.ts";

export async function quarantineOf(tables: Tables): Promise<readonly Result[]> {
  if (!tables.names.has("streams")) return [];
  const where = `from ${tables.ownStreams} where s.quarantined_at is not null`;
  const [total] = await tables.rows(`select count(*) as n ${where}`);
  if (total.n === 0) return [ok("quarantine", "0 streams")];
  const rows = await tables.rows(`select s.name ${where} order by s.quarantined_at limit ${limits.examples}`);
  const names = rows.map(({ name }) => name).join(", ");
  return [
    fail(
      "quarantine",
      `${count(total.n, "stream")}, the first ${names}`,
      "GET /ops/quarantine says why; mend it, then POST /ops/actors/:type/:id/release",
    ),
  ];
}
