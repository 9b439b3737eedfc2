// Promises of the service. Types, validation and documentation follow from it.
import Type from "typebox";
import { Cursor, defineContract } from "@valence/runtime/contract";
import { recordErrors } from "./errors.ts";

const fields = {
  name: Type.String({ minLength: 1, maxLength: 200 }),
  note: Type.Optional(Type.String({ maxLength: 2_000 })),
};
const id = Type.String({ format: "uuid" });
export const Record = Type.Object({ id, ...fields, createdAt: Type.String(), updatedAt: Type.String() });

export const contract = defineContract({
  service: "records",
  actions: {
    list: {
      params: {
        pageSize: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
        cursor: Type.Optional(Cursor),
      },
      returns: Type.Object({
        rows: Type.Array(Record),
        /** Begins the next page; absent on the last. */
        nextCursor: Type.Optional(Type.String()),
      }),
    },
    get: { params: { id }, returns: Record },
    create: { params: fields, returns: Record },
    update: { params: { id, name: Type.Optional(fields.name), note: fields.note }, returns: Record },
    remove: { params: { id }, returns: Type.Object({ id }) },
  },
  refusals: recordErrors,
  // For the description of the API: what a client may meet.
  mayRefuse: {
    list: [],
    get: ["RECORD_NOT_FOUND"],
    create: [],
    update: ["RECORD_NOT_FOUND"],
    remove: ["RECORD_NOT_FOUND"],
  },
});
declare global {
  interface Contracts {
    records: typeof contract;
  }
}
