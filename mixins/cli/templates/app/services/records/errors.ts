// Errors of records.
import { defineErrors } from "@valence/runtime/kernel";

export const recordErrors = defineErrors({
  RECORD_NOT_FOUND: { status: 404, says: "there is no record {id}", todo: "check the id" },
});
