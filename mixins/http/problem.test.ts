import { expect, test } from "@jest/globals";
import { Errors } from "moleculer";
import { Bug, Refusal, Unavailable } from "../kernel/index.ts";
import { toProblem } from "./problem.ts";

const map = (error: unknown) => toProblem(error, "request-1");

test("a refusal keeps its status, rule, words and fields", () => {
  expect(map(new Refusal("NO_COPY_LEFT", { field: "quantity", message: "only 3 left" }))).toEqual({
    problem: {
      type: "/problems/no-copy-left",
      title: "Conflict",
      status: 409,
      detail: "only 3 left",
      errors: [{ field: "quantity", message: "only 3 left" }],
      requestId: "request-1",
    },
    retryAfterMs: undefined,
  });
  expect(map(new Refusal("LOAN_NOT_FOUND")).problem.status).toBe(404);
});

test("a refusal's members are the problem's, and never in the place of its own", () => {
  const members = { total: { amount: 2_600, currency: "EUR" }, status: 200, requestId: "x" };
  const { problem } = map(new Refusal("PRICE_CHANGED", { members }));
  expect(problem).toMatchObject({ total: members.total, status: 409, requestId: "request-1" });
});

test("a validation error gives field and message, and nothing else that the validator knows", () => {
  const { problem } = map(
    new Errors.ValidationError("Parameters validation error!", "VALIDATION_ERROR", [
      { field: "lines.0.quantity", message: "must be >= 1", actual: "secret", nodeID: "n", action: "loans.open" },
    ]),
  );
  expect(problem.status).toBe(422);
  expect(problem.errors).toEqual([{ field: "lines.0.quantity", message: "must be >= 1" }]);
  expect(JSON.stringify(problem)).not.toContain("secret");
});

test.each([
  [503, new Unavailable("MAILBOX_FULL")],
  [504, new Unavailable("COMMIT_LOST", { outcome: "unknown" })],
  [504, new Errors.RequestTimeoutError({ action: "a", nodeID: "n" })],
  [504, new Errors.RequestRejectedError({ action: "a", nodeID: "n" })],
  [503, new Errors.ServiceNotFoundError({ action: "a" })],
  [503, new Errors.ServiceNotAvailableError({ action: "a", nodeID: "n" })],
  [503, new Errors.QueueIsFullError({ action: "a", nodeID: "n" })],
  [503, new Errors.RequestSkippedError({ action: "a", nodeID: "n" })],
])("%s for what may be tried again, with a time to wait: %s", (status, error) => {
  const { problem, retryAfterMs } = map(error);
  expect(problem.status).toBe(status);
  expect(retryAfterMs).toBeGreaterThan(0);
});

test.each([
  new Bug("HOLE", "secret"),
  new Error("secret"),
  Object.assign(new Error("secret"), { code: "23505", type: "X" }),
  Object.assign(new Error("secret"), { code: 599, type: "X" }),
  Object.assign(new Error("secret"), { code: 404 }),
  new Errors.MoleculerServerError("secret", 500, "SECRET", { password: "hunter2" }),
  "secret",
  undefined,
  null,
])("anything else is a 500 without a word: %s", error => {
  expect(map(error).problem).toEqual({
    type: "/problems/internal",
    title: "Internal Server Error",
    status: 500,
    requestId: "request-1",
  });
});
