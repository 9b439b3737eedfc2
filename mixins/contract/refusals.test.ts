import { expect, test } from "@jest/globals";
import Type from "typebox";
import { defineErrors } from "../kernel/index.ts";
import { callErrors, defineContract, defineService, errorsOf } from "./index.ts";

const doorErrors = defineErrors({
  DOOR_LOCKED: { status: 409, says: "the door is locked", todo: "unlock it" },
  KEY_NOT_FOUND: { status: 404, inBody: 422, says: "there is no key {key}", todo: "use another" },
  LOCK_AWAY: { status: 503, unknown: 504, retryAfterMs: 500, says: "the lock does not answer", todo: "try again" },
});
const actions = {
  open: { params: {}, returns: Type.Object({}) },
  close: { params: {}, returns: Type.Object({}) },
  oil: { params: {}, returns: Type.Object({}) },
};
const contract = defineContract({
  service: "doors",
  actions,
  refusals: { ...doorErrors, FORBIDDEN: callErrors.FORBIDDEN },
  mayRefuse: { open: ["DOOR_LOCKED", "LOCK_AWAY"] },
  permissions: { oil: false },
});

test("an action announces the errors that its contract names for it, or all of them", () => {
  const open = {
    DOOR_LOCKED: { status: 409, says: "the door is locked" },
    LOCK_AWAY: { status: 503, unknown: 504, says: "the lock does not answer" },
  };
  expect(errorsOf(contract, "open")).toEqual({ errors: open });
  expect(errorsOf(contract, "oil")).toEqual({});
  expect(Object.keys(errorsOf(contract, "close").errors!)).toEqual([
    "DOOR_LOCKED",
    "KEY_NOT_FOUND",
    "LOCK_AWAY",
    "FORBIDDEN",
  ]);
  const { actions } = defineService(contract, { actions: { open: () => ({}), close: () => ({}), oil: () => ({}) } });
  expect((actions!["open"] as { errors?: unknown }).errors).toEqual(open);
});

test("the errors of the floor below are announced with them", () => {
  const { errors } = errorsOf(contract, "open", { TOO_MANY_CALLS: callErrors.TOO_MANY_CALLS });
  expect(Object.keys(errors!)).toEqual(["DOOR_LOCKED", "LOCK_AWAY", "TOO_MANY_CALLS"]);
});

test("codes alone do as well: their status follows from their name", () => {
  const { refusals } = defineContract({ service: "gates", refusals: ["GATE_SHUT", "GATE_NOT_FOUND"] });
  expect([refusals.GATE_SHUT().code, refusals.GATE_NOT_FOUND().code]).toEqual([409, 404]);
  expect(Object.keys(defineContract({ service: "walls" }).refusals)).toEqual([]);
});
