// Params and answers that several operations have.
import Type from "typebox";
import { Cursor, TextLines } from "../contract/index.ts";

export const id = Type.String({ minLength: 1, maxLength: 200, pattern: "^[A-Za-z0-9][A-Za-z0-9_.:@-]*$" });
/** Name of an actor type or a projection. */
export const name = Type.String({ pattern: "^[a-z][a-z0-9-]{0,63}$" });
/** A service's full name: with a version before a dot, if it has one. */
export const service = Type.String({ pattern: "^(v[0-9A-Za-z.-]{1,32}[.])?[a-z][a-z0-9-]{0,63}$", maxLength: 64 });
/** A consumer's name or a type of error, compared with the existing ones. */
export const label = Type.String({ minLength: 1, maxLength: 200 });
export const note = Type.Optional(TextLines({ maxLength: 500 }));
export const limit = Type.Optional(Type.Integer({ minimum: 1, maximum: 500 }));
export const after = Type.Optional(Type.String({ maxLength: 200 }));
export const cursor = Type.Optional(Cursor);
export const page = { limit, cursor };
/** Where the next page begins; absent on the last. */
export const nextCursor = Type.Optional(Type.String());

/** Services, or nodes, that did not answer: what they have is missing. */
export const silent = Type.Array(Type.String());
/** Of answers that an earlier release gives without it: a terminal takes an answer for one by the fields that it must have. */
export const silentToo = Type.Optional(silent);

/** The answer of one service, with its name; the other fields belong to the mixin that answers. */
export const Answer = Type.Record(Type.String(), Type.Unknown());
export const listOf = <K extends string>(key: K) =>
  Type.Object({ [key]: Type.Array(Answer), nextCursor } as Record<K, ReturnType<typeof Type.Array<typeof Answer>>> & {
    nextCursor: typeof nextCursor;
  });
/** A list that several services have together. */
export const listOfServices = <K extends string>(key: K) =>
  Type.Object({ [key]: Type.Array(Answer), silent: silentToo, nextCursor } as Record<
    K,
    ReturnType<typeof Type.Array<typeof Answer>>
  > & {
    silent: typeof silentToo;
    nextCursor: typeof nextCursor;
  });

/** A saga's name, as its definition has it. */
export const sagaName = Type.Optional(Type.String({ pattern: "^[A-Za-z0-9_-]{1,40}$" }));
export const olderThanMinutes = Type.Optional(Type.Number({ minimum: 0, maximum: 100_000_000 }));
