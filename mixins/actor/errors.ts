// Errors of actors: of commands on their way to a decision, of decisions, of the record that is read.
import { defineErrors } from "../kernel/index.ts";

export const actorErrors = defineErrors({
  // ---- commands
  COMMAND_ID_TOO_LONG: {
    status: 400,
    says: "the command id is too long",
    todo: "send a command id of at most 256 characters",
  },
  BAD_COMMAND_ID: {
    status: 400,
    says: "the command id is not printable text",
    todo: "send a command id that is not empty and has no control characters",
  },
  COMMAND_ID_REUSED: {
    status: 422,
    says: "this id was used before for another command, or with other params",
    todo: "send each command under an id of its own",
  },
  ABANDONED: {
    status: 409,
    says: "this command was abandoned before it arrived",
    todo: "send a new command: this one was given up, as by a saga",
  },
  ARCHIVED: {
    status: 409,
    says: "{stream} is finished and archived",
    todo: "send no new command to it: it is read, and repetitions get their first answer",
  },
  EVENT_TOO_LARGE: {
    status: 413,
    says: "{command} makes an event {type} of {bytes} bytes; at most {bytesMax} can be carried",
    todo: "send less at a time; nothing was done",
  },
  MAILBOX_FULL: {
    status: 503,
    says: "{stream}: the mailbox is full",
    todo: "repeat the command later: the actor has as many waiting as it may",
  },
  MOVED: {
    status: 503,
    retryAfterMs: 50,
    says: "this node is leaving",
    todo: "repeat the command: another node answers",
  },
  CONTENTION: {
    status: 503,
    unknown: 504,
    says: "{stream}: decided too often in vain",
    todo: "repeat the command: each time another node changed the stream before",
  },
  PREPARE_FAILED: {
    status: 503,
    unknown: 504,
    says: "{stream}: {command} could not prepare: {reason}",
    todo: "repeat the command once the service that `prepare` asks is back; where `prepare` itself threw it is a bug",
  },
  DECISION_FAILED: {
    status: 500,
    says: "{stream}: {command} threw {name}: {reason}",
    todo: "mend the actor's definition",
  },
  CALL_CYCLE: {
    status: 500,
    says: "actors wait for each other: {actors}",
    todo: "break the cycle: a `prepare` calls an actor that waits for it",
  },

  COMMAND_UNKNOWN: {
    status: 422,
    says: "{actor} has no command {command}; it has {known}",
    todo: "name one of its commands",
  },
  NEEDS_PREPARED: {
    status: 422,
    says: "{command} prepares by calls, which a supposed command must not make",
    todo: "give the result that `prepare` would have, in `prepared`",
  },

  // ---- the record
  VERSION_NOT_FOUND: {
    status: 404,
    says: "{stream} is at version {version}",
    todo: "ask for a version up to this one",
  },
  STREAM_QUARANTINED: {
    status: 503,
    retryAfterMs: 60_000,
    says: "{stream} is in quarantine: {reason}",
    todo: "mend the record, or start the release that reads it, then release the actor (`POST /ops/actors/<type>/<id>/release`)",
  },
  ANSWER_DAMAGED: {
    status: 500,
    says: "{id}: the recorded answer of {commandId} cannot be read",
    todo: "restore the record from a backup",
  },
  EVENT_DAMAGED: {
    status: 500,
    says: "{event}: {reason}",
    todo: "restore the event from a backup, then release the actor from quarantine",
  },
  CANNOT_DECODE: {
    status: 500,
    says: "{event}: {reason}",
    todo: "mend the upcaster, then release the actor from quarantine",
  },
  CANNOT_FOLD: {
    status: 500,
    says: "{event}: {reason}",
    todo: "mend the fold, then release the actor from quarantine",
  },
  HOLE_IN_STREAM: {
    status: 500,
    says: "{stream}: its events end at version {version}",
    todo: "restore the missing events from a backup",
  },
  SNAPSHOT_FAILED: {
    status: 500,
    says: "{stream}@{version}: {reason}",
    todo: "keep only values in the state that JSON can hold",
  },

  // ---- the runtime's own
  VERDICT_OUT_OF_TURN: {
    status: 500,
    says: "{stream}: the store gave {what}, {kind}, for version {version}",
    todo: "report it: the event store broke its word, and the activation was dropped",
  },
  ACTOR_HOSTED_TWICE: {
    status: 500,
    says: "two services host actors of one type",
    todo: "rename one of the services, or stop it",
  },
});

/** The errors that any command may be refused with, for the API's description. */
export const ofAnyCommand = { ARCHIVED: actorErrors.ARCHIVED, EVENT_TOO_LARGE: actorErrors.EVENT_TOO_LARGE };
