// Whether today's code reads every event: its data, through the upcasters, matches the contract. An event that lacks a
// field is not refused when it is read; its fold goes on with undefined.
import type { Definitions } from "../../actor/index.ts";
import { actEvent } from "../../audit/index.ts";
import { compileSchema, strictObject, type Check } from "../../contract/index.ts";
import { upcast } from "../../event-store/index.ts";
import { Bug, eventIdOf } from "../../kernel/index.ts";
import { count, fail, ok, type Result } from "./finding.ts";
import type { Progress } from "./gaps.ts";
import { limits } from "./limits.ts";
import { eventTables, type Tables } from "./tables.ts";

interface Row {
  readonly stream: number;
  readonly name: string;
  readonly version: number;
  readonly type: string;
  readonly schema_version: number;
  readonly data: string;
}

/**
 * Reads every event, one page in each statement. Without `definitions` the service has no contract, and no event is
 * checked.
 */
export async function shapesOf(
  tables: Tables,
  definitions: Definitions | undefined,
  onProgress: Progress,
): Promise<readonly Result[]> {
  if (!definitions || !tables.names.has("events")) return [];
  const complaint = complaintsBy(definitions);
  const wrong = new Map<string, { events: number; first: string }>();
  const [{ total }] = await tables.rows("select count(*) as total from streams");
  let events = 0;
  let streams = 0;
  for (const table of eventTables(tables)) {
    let after: Pick<Row, "stream" | "version"> = { stream: 0, version: 0 };
    for (;;) {
      const page: Row[] = await tables.rows(
        `select e.stream, s.name, e.version, e.type, e.schema_version, e.data
         from ${tables.ownStreams} join ${table} e on e.stream = s.id
         where (e.stream, e.version) > ($1, $2) order by e.stream, e.version limit $3`,
        [after.stream, after.version, limits.events],
      );
      for (const row of page) {
        if (row.stream !== after.stream) streams++;
        after = row;
        const reason = complaint(row);
        if (reason === undefined) continue;
        const known = wrong.get(reason) ?? { events: 0, first: eventIdOf(row.name, row.version) };
        wrong.set(reason, { ...known, events: known.events + 1 });
      }
      events += page.length;
      onProgress(Math.min(streams, total), total);
      if (page.length < limits.events) break;
    }
  }
  return wrong.size === 0
    ? [ok("shapes", `${count(events, "event")} as today's contract has them`)]
    : [told(wrong, events)];
}

function told(wrong: ReadonlyMap<string, { events: number; first: string }>, events: number): Result {
  const sum = [...wrong.values()].reduce((all, one) => all + one.events, 0);
  const examples = [...wrong]
    .slice(0, limits.examples)
    .map(([reason, { events: some, first }]) => `${reason} (${some.toLocaleString("en")}, the first ${first})`);
  return fail(
    "shapes",
    `${count(sum, "event")} of ${events.toLocaleString("en")} that today's contract does not accept: ${examples.join("; ")}`,
    "run the release that wrote them, or give the event a new version and an upcaster from the old one",
  );
}

/** Events that the runtime itself writes, besides those of the contract. */
const isOfRuntime = (type: string): boolean => type.startsWith("saga.");

function complaintsBy({ contract, actor }: Definitions): (row: Row) => string | undefined {
  const checks = new Map<string, Check>();
  return ({ type, schema_version: version, data }) => {
    if (isOfRuntime(type)) return undefined;
    const shape = Object.hasOwn(contract.events, type) ? contract.events[type] : actEvent(type);
    if (!shape) return `${type}: the contract has no such event`;
    const check = checks.get(type) ?? compileSchema(strictObject(shape));
    checks.set(type, check);
    const label = `${type} v${version}`;
    try {
      const current = contract.versions[type] ?? 1;
      const found = check(upcast(type, version, JSON.parse(data), current, actor?.upcasters?.[type] ?? {}));
      return found === true
        ? undefined
        : `${label}: ${found.map(({ field, message }) => `${field} ${message}`).join(", ")}`;
    } catch (error) {
      // The runtime's own errors name the event. The text of other errors (invalid JSON, an upcaster that throws) is
      // left out, since it may quote the data.
      return error instanceof Bug ? error.message : `${label}: cannot be read`;
    }
  };
}
