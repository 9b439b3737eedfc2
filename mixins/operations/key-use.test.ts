import { expect, test } from "@jest/globals";
import { contract } from "./contract.ts";
import { operationsRoutes } from "./routes.ts";

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
  "discardDeadLetters",
  "noteSaga",
  "pauseIngress",
  "pauseWebhook",
  "rebuild",
  "releaseQuarantine",
  "removeWebhook",
  "replayWebhook",
  "resetConsumer",
  "resumeIngress",
  "resumeWebhook",
  "retryDeadLetter",
  "retryDeadLetters",
  "retrySaga",
  "retrySagas",
  "setLogLevel",
  "startJob",
  "stopJob",
  "testWebhook",
];
/** A webhook gets events as long as it is there, and whoever has its secret can speak for us. */
const FOR_PERSONS = ["addWebhook", "rotateWebhook"];

test("of each operation that changes something it is decided whether a key may do it", () => {
  const { actions, permissions } = contract;
  const permissionOf = (action: string) => (permissions as Record<string, unknown>)[action];
  const asked = Object.keys(actions).filter(action => permissionOf(action) !== false);
  expect(asked.filter(action => permissionOf(action) !== "operations:read").toSorted()).toEqual(
    [...FOR_KEYS, ...FOR_PERSONS].toSorted(),
  );
});

test("the routes of operations for persons are closed to keys", () => {
  const closed = operationsRoutes.filter(({ keys }) => !keys).map(({ target }) => "action" in target && target.action);
  expect(closed).toEqual(FOR_PERSONS.map(action => `ops.${action}`));
});
