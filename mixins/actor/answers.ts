// The recorded answer of a command, given word for word to each repetition of its id: a reply or a refusal, as JSON text.
// A reply of nothing but `{ id, version }` is not stored: it follows from the command's row.
import type { RecordedCommand } from "../event-store/index.ts";
import { type Bug, isRefusal, Refusal, storableJson, type RefusalDetail } from "../kernel/index.ts";
import type { Reply } from "../contract/index.ts";
import { actorErrors } from "./errors.ts";

/** The command name of an id that was abandoned before it arrived. */
export const ABANDON = "abandon";

type Recorded = { reply: Reply } | { refusal: { type: string } & RefusalDetail };

export const recordReply = (reply: Reply): string | null =>
  Object.keys(reply).length === 2 ? null : storableJson({ reply } satisfies Recorded, "answer");

export function recordRefusal({ type, message, code, data }: Refusal): string {
  const { errors, members } = data;
  const refusal = { type, message, status: code, ...(errors && { errors }), ...(members && { members }) };
  return storableJson({ refusal } satisfies Recorded, "refusal");
}

/** The recorded answer: a reply, the refusal as an error to throw, or Bug `ANSWER_DAMAGED` if it cannot be read. */
export function answerOf(id: string, { commandId, version, answer }: RecordedCommand): Reply | Refusal | Bug {
  if (answer === null) return { id, version };
  try {
    const recorded = JSON.parse(answer) as Recorded;
    if (!("reply" in recorded)) return new Refusal(recorded.refusal.type, recorded.refusal);
    if (typeof recorded.reply === "object" && recorded.reply !== null) return recorded.reply;
    throw new TypeError("its reply is no object");
  } catch (cause) {
    return actorErrors.ANSWER_DAMAGED({ id, commandId, cause });
  }
}

/** The answer to a request to abandon a command that was executed. An answer that cannot be read says nothing about the effect. */
export const toAbandoner = (answer: Reply | Error): { executed: boolean; answer: unknown } | Error =>
  !(answer instanceof Error)
    ? { executed: true, answer }
    : isRefusal(answer)
      ? { executed: false, answer: { type: answer.type, message: answer.message } }
      : answer;

interface Asked {
  readonly kind: string;
  readonly fingerprint: string;
}
export const isRepeat = (first: Asked, repeat: Asked): boolean =>
  first.kind === repeat.kind && first.fingerprint === repeat.fingerprint;

export const idReused = (): Refusal => actorErrors.COMMAND_ID_REUSED({ field: "commandId" });

/** The first answer for a repetition, or the refusal of an id that another command has used. */
export const answerToRepeat = (id: string, first: RecordedCommand, repeat: Asked): Reply | Refusal | Bug =>
  isRepeat(first, repeat) || first.kind === ABANDON ? answerOf(id, first) : idReused();
