// One connection that commits batches, one at a time. Guards P1 and P3 when a connection is lost.
//
//   1. plain       the batch goes out as `append_batch`. It commits, or the server undoes it.
//   2. verdicts    undone because something was not as expected: `append_verdicts` gives each append its verdict.
//   3. unknown     the connection ended before the reply. The same batch goes out again on a new connection, as
//                  `append_verdicts`, until the server answers. If the first one has committed, or is about to, its rows
//                  are locked until it has, and each append comes back as a duplicate with its first answer. To look
//                  for the command ids instead would say "not there" a moment before the commit lands.
// Until then nothing else leaves this lane: GroupCommit has one batch in flight. A crash of ours at any point leaves all
// of the batch or nothing.
import { setTimeout as sleep } from "node:timers/promises";
import { endsConnection, Session, stateOf, tracedStatements, type SessionConfig } from "../../../database/siblings.ts";
import type { ClientConfig } from "pg";
import { backoffMs, Unavailable } from "../../../kernel/index.ts";
import type { CommittedBatch, Upkeep } from "../../dialect.ts";
import { storeErrors } from "../../errors.ts";
import type { Append } from "../../event-store.ts";
import { failpoint } from "../../failpoints.ts";
import { limits } from "../../limits.ts";
import { plainBatch, plainVerdicts, verdictBatch, verdictOf, type Statement, type VerdictRow } from "./batch.ts";
import { failureOf } from "./failures.ts";
import { NOT_AS_EXPECTED } from "./functions.ts";

const UNIQUE_VIOLATION = "23505";

export class Lane {
  readonly #config: ClientConfig & SessionConfig;
  readonly #traced: ReturnType<typeof tracedStatements>;
  #client: Session | undefined;
  #closed = false;

  constructor(config: ClientConfig & SessionConfig) {
    // The server ends a statement that takes too long; one whose end never arrives is given up a little later.
    this.#config = { ...config, query_timeout: limits.replyMs };
    this.#traced = tracedStatements("postgresql", config.session.schema);
  }

  /** See `Dialect.commit`. One call at a time. */
  async commit(appends: readonly Append[], upkeep: readonly Upkeep[]): Promise<CommittedBatch> {
    const plain = plainBatch(appends, upkeep);
    let isUnknown = false;
    if (plain)
      try {
        const [row] = await this.#send(plain, limits.connectMs);
        failpoint("append:after-commit");
        return { fencedUpkeep: [], verdicts: plainVerdicts(appends, (row as { append_batch: number }).append_batch) };
      } catch (error) {
        if (error instanceof Unavailable) throw error; // never sent
        const failure = failureOf(error);
        if (failure === "undone" && !isForVerdicts(error)) throw undone(error);
        isUnknown = failure === "lost";
      }
    return this.#verdicts(appends, upkeep, isUnknown);
  }

  async #verdicts(appends: readonly Append[], upkeep: readonly Upkeep[], isUnknown: boolean): Promise<CommittedBatch> {
    const statement = verdictBatch(appends, upkeep);
    const until = performance.now() + limits.unknownMs;
    for (let attempts = 1; ; attempts++)
      try {
        const left = isUnknown ? until - performance.now() : limits.connectMs;
        const rows = (await this.#send(statement, left)) as VerdictRow[];
        failpoint("append:after-commit");
        return {
          verdicts: appends.map((append, i) => verdictOf(rows[i]!, append)),
          fencedUpkeep: upkeep.filter((_, i) => rows[appends.length + i]!.verdict === "fenced"),
        };
      } catch (error) {
        const failure = error instanceof Unavailable ? "undone" : failureOf(error);
        if (failure === "lost") isUnknown = true;
        const isOver = performance.now() > until || this.#closed;
        if (isOver || (failure === "undone" && !isUnknown)) throw isUnknown ? unknown(error) : undone(error);
        await sleep(backoffMs(attempts, { baseMs: 5, capMs: 500 }));
      }
  }

  /**
   * Sends a statement, on a new connection if there is none; tries to connect for `connectMs`. Throws Unavailable when
   * it could not be sent at all.
   */
  async #send({ text, values }: Statement, connectMs: number): Promise<unknown[]> {
    const client = await this.#connected(connectMs);
    failpoint("append:before-commit");
    try {
      return (await this.#traced(text, () => client.query<any>(text, values))).rows;
    } catch (error) {
      if (failureOf(error) === "lost" || endsConnection(error)) this.#drop();
      throw error;
    }
  }

  async #connected(withinMs: number): Promise<Session> {
    const until = performance.now() + withinMs;
    for (let attempts = 1; this.#client === undefined; attempts++) {
      const client = new Session(this.#config);
      // Called also for a connection that is lost while it is idle; without a listener the process would end.
      client.on("error", () => this.#client === client && this.#drop());
      try {
        await client.connect();
        this.#client = client;
      } catch (error) {
        void client.end().catch(() => {});
        if (performance.now() > until || this.#closed)
          throw storeErrors.STORE_UNAVAILABLE({ message: (error as Error).message, cause: error });
        await sleep(backoffMs(attempts, { baseMs: 20, capMs: 500 }));
      }
    }
    return this.#client;
  }

  /** Ends the connection without telling the server, which may no longer answer. */
  #drop(): void {
    const client = this.#client;
    this.#client = undefined;
    client?.connection.stream.destroy();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#client?.end();
    this.#client = undefined;
  }
}

/** Whether the verdicts tell the cause: a batch is not as it expects, a command or an event is there already. */
const isForVerdicts = (error: unknown): boolean => [NOT_AS_EXPECTED, UNIQUE_VIOLATION].includes(stateOf(error));

const undone = (cause: unknown): Unavailable =>
  cause instanceof Unavailable ? cause : storeErrors.COMMIT_FAILED({ message: (cause as Error).message, cause });
const unknown = (cause: unknown): Unavailable =>
  storeErrors.COMMIT_FAILED({ message: (cause as Error).message, outcome: "unknown", cause });
