// Whether acknowledged events are on disk, and where they still are after a fail-over. Guards P1 outside of the code.
import { fail, ok, warn, type Result } from "../../finding.ts";
import type { Connection } from "./connection.ts";

const ADVICE: Readonly<Record<string, string>> = {
  fsync: "set fsync = on: a crash of the machine corrupts the database",
  full_page_writes: "set full_page_writes = on: a crash in the middle of a page corrupts it",
  synchronous_commit: "set synchronous_commit = on: a crash of the server takes what was acknowledged",
};

export async function durabilityOf(connection: Connection): Promise<readonly Result[]> {
  const [row] = await connection.read(ask =>
    ask(
      `select pg_is_in_recovery() as is_standby, ${Object.keys(ADVICE)
        .map(name => `current_setting('${name}') as ${name}`)
        .join(", ")}`,
    ),
  );
  if (row.is_standby)
    return [fail("durability", `${connection.place} is a standby, and takes no command`, "name its primary")];
  const off = Object.entries(ADVICE).filter(([name]) => row[name] === "off");
  if (off.length > 0) return off.map(([name, advice]) => fail("durability", `${name} is off`, advice));
  return [
    ok(
      "durability",
      Object.keys(ADVICE)
        .map(name => `${name} ${row[name]}`)
        .join(", "),
    ),
  ];
}

export async function standbysOf(connection: Connection): Promise<readonly Result[]> {
  const [{ names, level }] = await connection.read(ask =>
    ask("select current_setting('synchronous_standby_names') as names, current_setting('synchronous_commit') as level"),
  );
  const standbys = await connection.read(ask =>
    ask(
      `select application_name as name, sync_state from pg_stat_replication
       where state is distinct from 'backup' order by application_name`,
    ),
  );
  // Another check reports a user who may not see others' sessions.
  if (standbys.some(({ sync_state }) => sync_state === null)) return [];
  const named = standbys.map(({ name, sync_state }) => `${name} ${sync_state}`).join(", ");
  const isSynchronous = standbys.some(({ sync_state }) => sync_state === "sync" || sync_state === "quorum");
  if (names !== "" && !isSynchronous && level !== "local")
    return [
      fail(
        "standbys",
        `no synchronous one is connected, and every commit waits for ${names}`,
        "start it, or set synchronous_standby_names = '' and reload",
      ),
    ];
  if (standbys.length === 0) return [ok("standbys", "0")];
  if (isSynchronous && level !== "local") return [ok("standbys", `${standbys.length}: ${named}`)];
  return [
    warn(
      "standbys",
      `${standbys.length} asynchronous (${named}): what was acknowledged last is lost when one takes over`,
      isSynchronous
        ? "set synchronous_commit = on"
        : "set synchronous_standby_names, or use them for reads only and never fail over to one",
    ),
  ];
}
