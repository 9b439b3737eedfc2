// The thread that reads SQLite files. It loads nothing but SQLite: in a running node its memory is the node's.
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { parentPort } from "node:worker_threads";

export interface Question {
  readonly id: number;
  readonly filename: string;
  /** Undefined: the file is closed. */
  readonly sql?: string;
  readonly values: readonly SQLInputValue[];
}
export type Reply = { readonly id: number } & ({ readonly rows: unknown[] } | { readonly error: string });

const port = parentPort!;
const open = new Map<string, DatabaseSync>();

function answer({ id, filename, sql, values }: Question): Reply {
  try {
    if (sql === undefined) {
      open.get(filename)?.close();
      open.delete(filename);
      return { id, rows: [] };
    }
    const database = open.get(filename) ?? new DatabaseSync(filename, { readOnly: true, timeout: 5_000 });
    open.set(filename, database);
    return { id, rows: database.prepare(sql).all(...values) };
  } catch (error) {
    return { id, error: (error as Error).message };
  }
}

const reply = (to: Reply): void => port.postMessage(to);
port.on("message", (question: Question) => reply(answer(question)));
