import { expect, test } from "@jest/globals";
import { Bug, defineErrors, plainErrors, Refusal, Unavailable } from "./index.ts";

const errors = defineErrors({
  ACCOUNT_EXISTS: { status: 409, says: "this account is open already", todo: "use it" },
  NOT_ENOUGH: { status: 422, says: "{left} of {wanted} are left", todo: "ask for fewer" },
  REWARD_NOT_FOUND: { status: 404, inBody: 422, says: "no such reward", todo: "read the list" },
  BUSY: { status: 503, retryAfterMs: 200, says: "too much at once", todo: "repeat it" },
  STORE_LOST: { status: 503, unknown: 504, says: "the store is gone", todo: "repeat it" },
  LOST: { status: 504, says: "no answer came", todo: "repeat it" },
  HOLE: { status: 500, says: "{stream} ends too early", todo: "restore it" },
});

test("a refusal has the status and the words of its definition", () => {
  const error = errors.ACCOUNT_EXISTS();
  expect(error).toBeInstanceOf(Refusal);
  expect(error).toMatchObject({
    code: 409,
    type: "ACCOUNT_EXISTS",
    message: "this account is open already",
    retryable: false,
    data: { family: "refusal" },
  });
});

test("values fill the words; the field is named with them; a better message replaces them", () => {
  expect(errors.NOT_ENOUGH({ left: 2, wanted: 3, field: "points" })).toMatchObject({
    code: 422,
    message: "2 of 3 are left",
    data: { family: "refusal", errors: [{ field: "points", message: "2 of 3 are left" }] },
  });
  expect(errors.NOT_ENOUGH({ message: "none is left", members: { left: 0 } })).toMatchObject({
    message: "none is left",
    data: { members: { left: 0 } },
  });
});

test("a missing thing that a body names is the body's mistake", () => {
  expect(errors.REWARD_NOT_FOUND().code).toBe(404);
  expect(errors.REWARD_NOT_FOUND({ inBody: true, field: "rewardId" }).code).toBe(422);
});

test("unavailable: 503 says that nothing was done, 504 that it is not known", () => {
  expect(errors.BUSY()).toBeInstanceOf(Unavailable);
  expect(errors.BUSY()).toMatchObject({
    code: 503,
    retryable: true,
    data: { family: "unavailable", outcome: "none", retryAfterMs: 200 },
  });
  expect(errors.BUSY({ retryAfterMs: 7 }).data.retryAfterMs).toBe(7);
  expect(errors.LOST()).toMatchObject({ code: 504, data: { outcome: "unknown", retryAfterMs: 100 } });
  const cause = new Error("reset");
  expect(errors.STORE_LOST({ outcome: "unknown", cause })).toMatchObject({ code: 504, cause });
});

test("a bug keeps its state and its cause beside the values of its words", () => {
  const cause = new Error("x");
  const bug = errors.HOLE({ stream: "loan.1", cause, state: { n: 1 } });
  expect(bug).toBeInstanceOf(Bug);
  expect(bug).toMatchObject({ code: 500, message: "loan.1 ends too early", cause });
  expect(bug.data).toEqual({ family: "bug", state: { n: 1 } });
});

test("codes alone are a catalogue: 404 for what is not found, else 409", () => {
  const { NO_SUCH_THING, THING_NOT_FOUND } = plainErrors(["NO_SUCH_THING", "THING_NOT_FOUND"]);
  expect(NO_SUCH_THING()).toMatchObject({ code: 409, message: "no such thing" });
  expect(THING_NOT_FOUND({ field: "id" })).toMatchObject({ code: 404, message: "thing not found" });
});

test("a code that is not upper case is refused at the start", () =>
  expect(() => defineErrors({ notFound: { status: 404, says: "", todo: "" } })).toThrow('"notFound" is no code'));

test("the compiler refuses an unknown code, a value that is missing, an option of another family", () => {
  const never = () => [
    // @ts-expect-error an unknown code
    errors.ACCOUNT_EXIST(),
    // @ts-expect-error no values
    errors.NOT_ENOUGH(),
    // @ts-expect-error one value of two
    errors.NOT_ENOUGH({ left: 2 }),
    // @ts-expect-error its outcome is always none
    errors.BUSY({ outcome: "unknown" }),
    // @ts-expect-error a refusal has one status
    errors.ACCOUNT_EXISTS({ status: 400 }),
    // @ts-expect-error the body names nothing here
    errors.ACCOUNT_EXISTS({ inBody: true }),
    // @ts-expect-error no such status
    defineErrors({ ODD: { status: 418, says: "", todo: "" } }),
  ];
  expect(never).toBeDefined();
});
