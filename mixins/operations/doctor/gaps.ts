// Whether every stream has all its events: as many as its head says, and none after it.
import { count, fail, ok, type Result } from "./finding.ts";
import { limits } from "./limits.ts";
import { eventTables, type Tables } from "./tables.ts";

export type Progress = (done: number, total: number) => void;

/** Reads everything, a thousand streams in each statement, which sees heads and events at one moment. */
export async function gapsOf(tables: Tables, onProgress: Progress): Promise<readonly Result[]> {
  if (!tables.names.has("events")) return [];
  const [{ total }] = await tables.rows("select count(*) as total from streams");
  const events = eventTables(tables).map(table => `select version from ${table} where stream = s.id`);
  const own = `(${events.join(" union all ")}) e`;
  const wrong: { name: string; version: number; events: number; newest: number }[] = [];
  let done = 0;
  for (let after = 0; ;) {
    const [page] = await tables.rows(
      "select max(id) as last, count(*) as n from (select id from streams where id > $1 order by id limit $2) page",
      [after, limits.streams],
    );
    if (page.n === 0) break;
    const rows = await tables.rows(
      `select * from (
         select s.name, s.version, (select count(*) from ${own}) as events,
           (select coalesce(max(version), 0) from ${own}) as newest
         from ${tables.ownStreams} where s.id > $1 and s.id <= $2
       ) counted where events <> version or newest <> version order by name`,
      [after, page.last],
    );
    wrong.push(...rows);
    after = page.last;
    onProgress((done += page.n), total);
  }
  if (wrong.length === 0) return [ok("gaps", `0 in ${count(done, "stream")}`)];
  const examples = wrong
    .slice(0, limits.examples)
    .map(({ name, version, events, newest }) => `${name} has ${events} of ${version} events, the newest ${newest}`);
  return [
    fail(
      "gaps",
      `${count(wrong.length, "stream")} of ${done}: ${examples.join("; ")}`,
      "restore these events from a backup: the state of these actors cannot be explained without them",
    ),
  ];
}
