// Writes a hundred thousand sagas into the store of a shop that runs on SQLite, by SQL: their rows, streams and journals. A third is
// stuck, for three reasons; the oldest of those have the whole journal of a saga that really got stuck.
import { DatabaseSync } from "node:sqlite";

export interface Written {
  readonly stuck: number;
  readonly completed: number;
}

/** Stuck ones with the whole journal of their model; the others have its first entry and their last. */
const WHOLE = 2_000;
export const REASONS = ["PAYMENT_VOIDED", "PAYMENT_TIMEOUT", "NO_CARRIER"] as const;
/** Milliseconds between the starts of two. */
const APART_MS = 100;

/** `file`: of the service with the sagas. `model`: id of a saga that is stuck there. */
export function writeSagas(file: string, model: string, { stuck, completed }: Written): void {
  const database = new DatabaseSync(file, { timeout: 30_000 });
  try {
    database.exec("pragma synchronous = off; begin immediate");
    const { stream, state } = database.prepare("select stream, state from sagas where id = ?").get(model)!;
    if (state !== "stuck") throw new Error(`${model} is ${String(state)}`);
    const first = database.prepare("select coalesce(max(id), 0) + 1 as first from streams").get()!["first"] as number;
    const all = stuck + completed;
    database.exec(`
      create temp table made as
      with recursive n(i) as (select 0 union all select i + 1 from n where i + 1 < ${all})
      select i, ${first} + i as stream, i < ${stuck} as is_stuck,
        printf('%08x-5a6a-7000-8000-%012x', i, i) as key,
        (unixepoch() - 86400) * 1000 - (${all} - i) * ${APART_MS} as at
      from n;
      create temp table model as select * from events where stream = ${Number(stream)} and version <= (
        select version from events where stream = ${Number(stream)} and type = 'saga.stuck' order by version limit 1
      );
    `);
    const key = model.slice(model.indexOf(".") + 1);
    const last = "(select max(version) from model)";
    const reason = `case i % 3 when 0 then '${REASONS[0]}' when 1 then '${REASONS[1]}' else '${REASONS[2]}' end`;
    const own = (column: string): string => `replace(replace(${column}, '${key}', key), 'PAYMENT_VOIDED', ${reason})`;
    database.exec(`
      insert into streams (id, name, version)
      select stream, 'checkout.' || key, case when is_stuck and i < ${WHOLE} then ${last} else 2 end from made;
      insert into sagas (id, stream, state, reason, started_at, updated_at)
      select 'checkout.' || key, stream, case when is_stuck then 'stuck' else 'completed' end,
        case when is_stuck then ${own("(select reason from sagas where id = '" + model + "')")} end, at, at + 1000
      from made;
      insert into events (stream, version, type, schema_version, data, metadata, recorded_at)
      select made.stream, m.version, m.type, m.schema_version, ${own("m.data")}, m.metadata, at
      from made join model m on is_stuck and i < ${WHOLE} or m.version = 1;
      insert into events (stream, version, type, schema_version, data, metadata, recorded_at)
      select made.stream, 2, m.type, m.schema_version, ${own("m.data")}, m.metadata, at + 1000
      from made join model m on m.type = 'saga.stuck' where is_stuck and i >= ${WHOLE};
      insert into events (stream, version, type, schema_version, data, metadata, recorded_at)
      select made.stream, 2, 'saga.completed', 1, '{"at":"2026-01-01T00:00:00.000Z"}', '{}', at + 1000
      from made where not is_stuck;
      commit;
    `);
  } finally {
    database.close();
  }
}
