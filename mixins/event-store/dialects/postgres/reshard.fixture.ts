import { query } from "../../../testing/servers.ts";

/** Leftovers that a finished reshard should have removed from a shard, in words. */
export async function leftBehind(url: string, schema: string): Promise<string[]> {
  const findings: Record<string, string> = {
    "bucket under way": "select bucket from buckets where state = 'sealed' or moving_to is not null",
    "stream of another shard's bucket": "select name from streams join buckets using (bucket) where state <> 'owned'",
    "stream that is torn": `select name from streams s
      left join (select * from events union all select * from archived_events) e on e.stream = s.id
      group by s.id having count(e.version) <> s.version or coalesce(max(e.version), 0) <> s.version`,
    index:
      "select indexname from pg_indexes where schemaname = current_schema and indexname similar to '%by_(stream|bucket)'",
    trigger:
      "select tgname, tgrelid::regclass from pg_trigger where tgname like 'reshard%' and tgrelid::regclass::text !~ '\\.'",
    table: "select tablename from pg_tables where schemaname = current_schema and tablename like 'reshard%'",
    ...Object.fromEntries(
      ["events", "archived_events", "commands", "snapshots", "timers", "sagas"].map(table => [
        `row of no stream in ${table}`,
        `select stream from ${table} where stream not in (select id from streams)`,
      ]),
    ),
  };
  const within = new URL(url);
  within.searchParams.set("options", `-c search_path=${schema}`);
  const found: string[] = [];
  for (const [what, sql] of Object.entries(findings))
    for (const row of await query(within.href, sql)) found.push(`${what}: ${JSON.stringify(row)}`);
  return found;
}
