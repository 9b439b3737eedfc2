// The writer thread of one file: the only place where SQL runs. Never on the broker's loop, where a sync or a lock that
// another process holds would freeze heartbeats.
//
// Life of a batch: decoded → begin immediate → verdicts → commit (synced) → answered → others get the lock. A thread
// that dies before the commit leaves nothing; one that dies after it has written everything, and the batch that is
// submitted again comes back as duplicates.
import { parentPort, workerData } from "node:worker_threads";
import { outcomeOf, plainError } from "../../../kernel/index.ts";
import type { StreamPart } from "../../event-store.ts";
import { failpoint } from "../../failpoints.ts";
import { batchWriter } from "./batch.ts";
import { Connection } from "./connection.ts";
import { reader } from "./reads.ts";
import {
  decodeAppends,
  encodeVerdicts,
  type Request,
  type Requests,
  type Response,
  type Row,
  type WireError,
} from "./wire.ts";

const port = parentPort!;
const reply = (response: Response): void => port.postMessage(response);
/** Milliseconds without a commit after which the WAL is emptied into the file. */
const IDLE_MS = 1_000;

function serve(connection: Connection): void {
  const batch = batchWriter(connection);
  const read = reader(connection);
  const whenIdle = setTimeout(() => connection.truncateWal(), IDLE_MS);

  /** Rejections mean that nothing was written, unless they say otherwise. */
  function commit(id: number, [cells, upkeep]: Requests["commit"]["args"]): void {
    const appends = decodeAppends(cells);
    if (!batch.writes(appends, upkeep)) return answer(id, () => encode(batch.check(appends)));
    let committed;
    try {
      committed = batch.commit(appends, upkeep);
    } catch (error) {
      return reply({ id, error: wireError(error) });
    }
    failpoint("append:after-commit");
    reply({ id, result: encode(committed) });
    connection.afterCommit();
    whenIdle.refresh();
  }

  const dueTimers = (limit: number, part: StreamPart | null): Row[] =>
    part ? read.timersOfPart(limit, part.count, JSON.stringify(part.partitions)) : read.timers(limit);

  const encode = ({ recordedAt, verdicts }: ReturnType<typeof batch.commit>) => encodeVerdicts(recordedAt, verdicts);

  function answer(id: number, work: () => unknown): void {
    try {
      reply({ id, result: work() });
    } catch (error) {
      reply({ id, error: wireError(error) });
    }
  }

  function resultOf(request: Exclude<Request, { op: "commit" | "close" }>): unknown {
    switch (request.op) {
      case "load":
        return read.load(...request.args);
      case "readStream":
        return read.readStream(...request.args);
      case "findCommand":
        return read.findCommand(...request.args);
      case "readAll":
        return read.readAll(...request.args);
      case "head":
        return read.head();
      case "identity":
        return read.identity();
      case "streams":
        return read.streams(...request.args);
      case "streamsByName":
        return read.streamsByName(...request.args);
      case "streamCount":
        return read.streamCount();
      case "dueTimers":
        return { now: batch.clock(), rows: dueTimers(...request.args) };
      case "timers":
        return { now: batch.clock(), rows: read.listedTimers(...request.args) };
      case "search":
        return read.search(...request.args);
      case "size":
        return { ...read.size(), bytes: connection.bytes() };
      case "sagas": {
        const [states, olderThanMs, after, limit, newestFirst] = request.args;
        const page = newestFirst ? read.newestSagas : read.sagas;
        const ofState = (state: string) => page(state, batch.clock(), olderThanMs, after ?? "", limit);
        const order = newestFirst ? (a: Row, b: Row) => byStart(b, a) : byStart;
        return states.length === 1 ? ofState(states[0]!) : states.flatMap(ofState).sort(order).slice(0, limit);
      }
      case "quarantined":
        return read.quarantined(...request.args);
      case "now":
        return batch.clock();
    }
  }

  port.on("message", (request: Request) => {
    if (request.op === "commit") return commit(request.id, request.args);
    if (request.op !== "close") return answer(request.id, () => resultOf(request));
    clearTimeout(whenIdle);
    answer(request.id, () => connection.close());
    port.close();
  });
  reply({ opened: true });
}

/** Rows of sagas, by start and id. */
const byStart = ([a, , , aAt]: Row, [b, , , bAt]: Row): number => Number(aAt) - Number(bAt) || (a! < b! ? -1 : 1);

function wireError(error: unknown): WireError {
  const { type, message } = plainError(error);
  const isOurs = typeof (error as { data?: unknown }).data === "object";
  return { type, message, outcome: isOurs ? outcomeOf(error) : "none" };
}

let connection: Connection | undefined;
try {
  connection = new Connection((workerData as { filename: string }).filename);
} catch (error) {
  reply({ refused: wireError(error) });
}
if (connection) serve(connection);
else port.close();
