import { expect, test } from "@jest/globals";
import { contract } from "./contract.ts";

/**
 * What a machine's key with `operations:write` may do. All of it repairs or moves what is there, and is recorded with the key.
 * An operation that touches credentials, keys or roles, or gives somebody access that outlives the key, does not belong here:
 * it refuses keys, as `accounts/key-use.ts` does.
 */
const FOR_KEYS = [
  "archive",
  "compensateSaga",
  "compensateSagas",
  "discardDeadLetter",
  "noteSaga",
  "pauseIngress",
  "rebuild",
  "releaseQuarantine",
  "resetConsumer",
  "resumeIngress",
  "retryDeadLetter",
  "retryDeadLetters",
  "retrySaga",
  "retrySagas",
  "setLogLevel",
];

test("of each operation that changes something it is decided whether a key may do it", () => {
  const { actions, permissions } = contract;
  const permissionOf = (action: string) => (permissions as Record<string, unknown>)[action];
  const asked = Object.keys(actions).filter(action => permissionOf(action) !== false);
  expect(asked.filter(action => permissionOf(action) !== "operations:read").toSorted()).toEqual(FOR_KEYS);
});
