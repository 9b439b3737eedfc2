// The verdicts. One batch, one transaction; runs in the writer thread, alone on the file while the transaction lasts,
// so the heads and commands that it reads hold until the commit.
import { failpoint } from "../../failpoints.ts";
import type { Upkeep } from "../../dialect.ts";
import type { Append } from "../../event-store.ts";
import type { Connection } from "./connection.ts";
import { recordedCommand, type Row, type WriterVerdict } from "./wire.ts";

/** A stream within the batch: its appends form a chain, the first that fails fails the rest. */
interface Chain {
  /** 0 until the stream has a row. */
  id: number;
  head: number;
  /** Version in the stream's row. */
  stored: number;
  /** It takes no new command. */
  readonly archived: boolean;
  failed: boolean;
}
export interface Committed {
  readonly recordedAt: number;
  readonly verdicts: readonly WriterVerdict[];
}

const CONFLICT: WriterVerdict = { kind: "conflict" };

export function batchWriter(connection: Connection) {
  const prepare = (sql: string) => connection.prepare(sql);
  const now = prepare("select cast(round(unixepoch('now', 'subsec') * 1000) as integer)");
  const streamByName = prepare("select id, version, quarantined_at, archived_at from streams where name = ?");
  const insertStream = prepare("insert into streams (name, version) values (?, ?)");
  const updateStream = prepare("update streams set version = ? where id = ?");
  const commandById = prepare(
    "select command_id, kind, fingerprint, version, answer from commands where command_id = ? and stream = ?",
  );
  const insertCommand = prepare(
    `insert into commands (command_id, stream, version, kind, fingerprint, answer) values (?, ?, ?, ?, ?, ?)
     on conflict do nothing`,
  );
  const insertEvent = prepare(
    `insert into events (stream, version, type, schema_version, data, metadata, recorded_at)
     values (?, ?, ?, ?, ?, ?, ?)`,
  );
  const setTimer = prepare(
    `insert into timers (id, stream, command, params, due_at, next_at, attempts, cause)
     values (?1, ?2, ?3, ?4, ?5, ?5, 0, ?6)
     on conflict (id) do update set stream = excluded.stream, command = excluded.command, params = excluded.params,
       due_at = excluded.due_at, next_at = excluded.next_at, attempts = 0, cause = excluded.cause`,
  );
  const cancelTimer = prepare("delete from timers where id = ?");
  const upsertSaga = prepare(
    `insert into sagas (id, stream, state, reason, started_at, updated_at) values (?1, ?2, ?3, ?4, ?5, ?5)
     on conflict (id) do update set state = excluded.state, reason = excluded.reason, updated_at = excluded.updated_at`,
  );
  const upkeepStatements = {
    // Only newer than the stored one; at the same version a higher schema number wins: newer code wrote it. Never past
    // the stream's head, which would be a state that no event explains.
    snapshot: prepare(
      `insert into snapshots (stream, version, schema, state)
       select id, ?2, ?3, ?4 from streams where name = ?1 and version >= ?2 and archived_at is null
       on conflict (stream) do update set version = excluded.version, schema = excluded.schema, state = excluded.state
       where (excluded.version, excluded.schema) > (snapshots.version, snapshots.schema)`,
    ),
    deleteTimer: prepare("delete from timers where id = ? and due_at = ?"),
    postponeTimer: prepare("update timers set next_at = ?3, attempts = attempts + 1 where id = ?1 and due_at = ?2"),
    quarantine: prepare(
      `insert into streams (name, version, quarantined_at, quarantine_reason) values (?1, 0, ?2, ?3)
       on conflict (name) do update set quarantined_at = ?2, quarantine_reason = ?3`,
    ),
    archive: prepare(
      "update streams set archived_at = ?3 where name = ?1 and version = ?2 and archived_at is null returning id",
    ),
    moveEvents: prepare("insert into archived_events select * from events where stream = ?"),
    deleteEvents: prepare("delete from events where stream = ?"),
    deleteSnapshot: prepare("delete from snapshots where stream = ?"),
    release: prepare("update streams set quarantined_at = null, quarantine_reason = null where name = ?"),
  };

  const clock = (): number => (now.get() as unknown as [number])[0];

  function openChain(stream: string): Chain {
    const row = streamByName.get(stream) as unknown as [number, number, number | null, number | null] | undefined;
    if (!row) return { id: 0, head: 0, stored: 0, archived: false, failed: false };
    // An activation that lives on while its stream went into quarantine reloads on the conflict, and finds the reason.
    return { id: row[0], head: row[1], stored: row[1], archived: row[3] !== null, failed: row[2] !== null };
  }

  function recorded(chain: Chain, commandId: string): WriterVerdict | undefined {
    const row = chain.id === 0 ? undefined : (commandById.get(commandId, chain.id) as unknown as Row | undefined);
    return row && { kind: "duplicate", first: recordedCommand(row) };
  }

  function check(chain: Chain, append: Append): WriterVerdict {
    if (!chain.failed && chain.head === append.expectedVersion) return { kind: "ok", version: chain.head };
    chain.failed = true;
    return CONFLICT;
  }

  function write(chain: Chain, append: Append, commandId: string, recordedAt: number): WriterVerdict {
    const { stream, expectedVersion, events, kind, fingerprint, answer, metadata } = append;
    if (chain.failed || chain.archived || chain.head !== expectedVersion) {
      chain.failed = true;
      // A repetition is a duplicate however old its view of the stream is: it must get the first answer.
      return recorded(chain, commandId) ?? CONFLICT;
    }
    const version = expectedVersion + events.length;
    if (chain.id === 0) {
      chain.id = Number(insertStream.run(stream, version).lastInsertRowid);
      chain.stored = version;
    }
    if (insertCommand.run(commandId, chain.id, version, kind, fingerprint, answer).changes === 0) {
      chain.failed = true;
      return recorded(chain, commandId)!;
    }
    let next = expectedVersion;
    for (const event of events)
      insertEvent.run(chain.id, ++next, event.type, event.schemaVersion, event.data, metadata, recordedAt);
    chain.head = version;
    for (const timer of append.timers ?? [])
      if ("cancel" in timer) cancelTimer.run(timer.cancel);
      else {
        const { set: id, afterMs, command, params, cause = null } = timer;
        setTimer.run(id, chain.id, command, params, recordedAt + Math.round(afterMs), cause);
      }
    if (append.saga) upsertSaga.run(append.saga.id, chain.id, append.saga.state, append.saga.reason, recordedAt);
    return { kind: "ok", version };
  }

  function keep(upkeep: Upkeep, recordedAt: number): void {
    const { snapshot, deleteTimer, postponeTimer, archive, quarantine, release } = upkeepStatements;
    switch (upkeep.kind) {
      case "snapshot": {
        const { version, schema, state } = upkeep.snapshot;
        return void snapshot.run(upkeep.stream, version, schema, state);
      }
      case "delete-timer":
        return void deleteTimer.run(upkeep.id, Date.parse(upkeep.dueAt));
      case "postpone-timer":
        return void postponeTimer.run(upkeep.id, Date.parse(upkeep.dueAt), recordedAt + Math.round(upkeep.byMs));
      case "archive": {
        const row = archive.get(upkeep.stream, upkeep.version, recordedAt) as unknown as [number] | undefined;
        if (!row) return;
        upkeepStatements.moveEvents.run(row[0]);
        upkeepStatements.deleteEvents.run(row[0]);
        return void upkeepStatements.deleteSnapshot.run(row[0]);
      }
      case "quarantine":
        return void quarantine.run(upkeep.stream, recordedAt, upkeep.reason);
      case "release":
        return void release.run(upkeep.stream);
    }
  }

  function settle(appends: readonly Append[], upkeep: readonly Upkeep[]): Committed {
    const recordedAt = clock();
    const chains = new Map<string, Chain>();
    const verdicts: WriterVerdict[] = [];
    for (const append of appends) {
      let chain = chains.get(append.stream);
      if (!chain) chains.set(append.stream, (chain = openChain(append.stream)));
      const { commandId } = append;
      verdicts.push(commandId === undefined ? check(chain, append) : write(chain, append, commandId, recordedAt));
    }
    for (const { id, head, stored } of chains.values()) if (head !== stored) updateStream.run(head, id);
    for (const item of upkeep) keep(item, recordedAt);
    return { recordedAt, verdicts };
  }

  return {
    clock,
    /** Whether `commit` needs the write lock: head checks alone do not. */
    writes: (appends: readonly Append[], upkeep: readonly Upkeep[]): boolean =>
      upkeep.length > 0 || appends.some(append => append.commandId !== undefined),
    commit(appends: readonly Append[], upkeep: readonly Upkeep[]): Committed {
      return connection.transaction(() => {
        const committed = settle(appends, upkeep);
        failpoint("append:before-commit");
        return committed;
      });
    },
    check: (appends: readonly Append[]): Committed => settle(appends, []),
  };
}
