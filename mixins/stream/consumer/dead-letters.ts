// Events of parked streams as an operator sees them, and the way of such a stream back to work. Groups: see parked.ts.
import type { Knex } from "knex";
import type { Database } from "../../database/index.ts";
import { eventIn } from "./failed-streams.ts";
import { streamErrors } from "../errors.ts";
import { withError } from "./parked.ts";

export interface DeadLetter {
  readonly id: string;
  readonly consumer: string;
  readonly stream: string;
  readonly version: number;
  readonly type: string;
  /** Why the first event of the stream failed: the events behind it only wait. */
  readonly error: { readonly type: string; readonly message: string };
  readonly attempts: number;
  readonly at: string;
  /** Absent from a brief answer. */
  readonly event?: unknown;
}

/** Bytes of the events of an answer, one at least: messages from outside may have many, and an answer is one message of the bus. */
const ANSWER_BYTES = 256 * 1_024;

interface LettersAsked {
  readonly limit: number;
  /** The id of a letter, behind which they begin; 0 for the first. */
  readonly after: number;
  /** Leaves out the events, of which there may then be many more. */
  readonly brief: boolean;
  readonly consumer?: string | undefined;
  /** Type of the error. */
  readonly error?: string | undefined;
}

/** Dead letters of one consumer and type of error. */
export interface LetterCount {
  readonly consumer: string;
  readonly error: string;
  /** Of one of them. */
  readonly message: string;
  /** Streams that stand still. */
  readonly streams: number;
  /** Events of them: those that failed, and those that wait behind. */
  readonly letters: number;
  readonly oldest: string;
  readonly newest: string;
  readonly newestId: string;
}
/** Letters that are counted at most: some 50 ms of a database. */
const COUNTED_MAX = 20_000;

/** The letters by consumer and error, the most streams first. `isPartial`: there are more, newer ones. */
export async function letterCounts({ knex }: Database): Promise<{ counts: LetterCount[]; isPartial: boolean }> {
  const rows: Counted[] = await lettersIn(knex)
    .clear("select")
    .select("d.id", "d.consumer", "d.actor_stream", "d.at", "p.error")
    .orderBy("d.id")
    .limit(COUNTED_MAX);
  const errors = new Map<string, DeadLetter["error"]>();
  const errorOf = (text: string): DeadLetter["error"] => {
    const known = errors.get(text) ?? errorIn(text);
    errors.set(text, known);
    return known;
  };
  const groups = Map.groupBy(rows, row => `${row.consumer} ${errorOf(row.error).type}`);
  const counts = [...groups.values()].map(group => {
    const last = group.at(-1)!;
    const { type, message } = errorOf(last.error);
    return {
      consumer: last.consumer,
      error: type,
      message,
      streams: new Set(group.map(({ actor_stream: stream }) => stream)).size,
      letters: group.length,
      oldest: group[0]!.at,
      newest: last.at,
      newestId: `${last.id}`,
    };
  });
  return { counts: counts.sort((a, b) => b.streams - a.streams), isPartial: rows.length === COUNTED_MAX };
}
interface Counted {
  readonly id: number;
  readonly consumer: string;
  readonly actor_stream: string;
  readonly at: string;
  readonly error: string;
}

/** The dead letters whose event carries a text, such as a trace's id, among the `newest` ones; at most `limit`, newest first. */
export async function tracedLettersIn(
  { knex }: Database,
  text: string,
  newest: number,
  limit: number,
): Promise<DeadLetter[]> {
  const { last } = (await knex("dead_letters").max({ last: "id" }).first()) as { last: number | string | null };
  const rows = await lettersIn(knex)
    .where("d.id", ">", Number(last ?? 0) - newest)
    .whereLike("d.event", `%${text}%`)
    .orderBy("d.id", "desc")
    .limit(limit);
  return rows.map((row: object) => letterOf(row));
}

/**
 * The dead letters of parked streams, oldest first. `searchedTo`: the id of the last one, where more bytes follow than an answer may have.
 */
export async function deadLettersIn(
  { knex }: Database,
  { limit, after, brief, consumer, error }: LettersAsked,
): Promise<{ deadLetters: DeadLetter[]; searchedTo?: string }> {
  const asked = lettersIn(knex).where("d.id", ">", after);
  if (consumer !== undefined) void asked.where("d.consumer", consumer);
  if (error !== undefined) withError(asked, "p.error", error);
  const rows: { event: string }[] = await asked.orderBy("d.id").limit(limit);
  const deadLetters = rows.map(row => letterOf(row, brief));
  if (brief) return { deadLetters };
  let room = ANSWER_BYTES;
  const beyond = rows.findIndex(({ event }, i) => (room -= Buffer.byteLength(event)) < 0 && i > 0);
  if (beyond < 0) return { deadLetters };
  return { deadLetters: deadLetters.slice(0, beyond), searchedTo: deadLetters[beyond - 1]!.id };
}

const lettersIn = (knex: Knex): Knex.QueryBuilder =>
  knex("dead_letters as d")
    .join("parked_streams as p", join => {
      join.on("p.consumer", "d.consumer").andOn("p.actor_stream", "d.actor_stream");
    })
    .where("p.state", "parked")
    .select("d.id", "d.consumer", "d.actor_stream", "d.version", "d.event", "d.at", "p.error", "p.attempts");

function letterOf(row: any, brief = false): DeadLetter {
  const { id, consumer, actor_stream: stream, version, at, error, attempts } = row;
  const event = eventIn(row);
  const letter = { id: `${id}`, consumer, stream, version, type: event.type, error: errorIn(error), attempts, at };
  return brief ? letter : { ...letter, event };
}

/**
 * Sends the stream of a dead letter back to work, in order, from its first letter on. A repetition tries again.
 * @throws Refusal `DEAD_LETTER_NOT_FOUND`
 */
export async function retryDeadLetter({ knex }: Database, id: string): Promise<void> {
  const letter = await knex("dead_letters")
    .where({ id: Number(id) })
    .first();
  if (!letter) throw streamErrors.DEAD_LETTER_NOT_FOUND({ field: "id", id });
  await knex("parked_streams")
    .where({ consumer: letter.consumer, actor_stream: letter.actor_stream })
    .update({ state: "retrying", attempts: 0, charged: 0, next_at: 0 });
}

/** The error of a stream's row. */
function errorIn(text: string): DeadLetter["error"] {
  try {
    return JSON.parse(text) as DeadLetter["error"];
  } catch {
    return { type: "ERROR", message: "why it failed cannot be read" };
  }
}
