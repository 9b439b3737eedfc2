import { expect, test } from "@jest/globals";
import { evolveAll, given, type EventOf } from "@valence/runtime/actor";
import { checkGolden } from "@valence/runtime/testing";
import { contract } from "./contract.ts";
import { Payment } from "./payment.ts";

const { event } = contract;
const amount = { amount: 2_500, currency: "EUR" };
const token = "tok_ok";
const requested = event("payment.requested", { amount, token });
const authorized = event("payment.authorized", { authorizationId: "auth_1" });
const declined = event("payment.declined", { reason: "card declined" });
const captureRequested = event("payment.capture_requested", {});
const captured = event("payment.captured", {});
const voidRequested = event("payment.void_requested", {});
const voided = event("payment.voided", {});
const authorizedLate = event("payment.authorized_late", { authorizationId: "auth_1" });

test("golden samples decode, fold and give the golden snapshot", () => checkGolden(Payment, import.meta.dirname));

test("a request is recorded once, for one amount and one token", () => {
  given(Payment).when("request", { amount, token }).yields(requested);
  given(Payment, requested).when("request", { amount, token }).yields();
  given(Payment, requested, authorized).when("request", { amount, token }).yields();
  given(Payment, requested)
    .when("request", { amount: { ...amount, amount: 1 }, token })
    .refuses("PAYMENT_EXISTS", "amount");
  given(Payment, requested)
    .when("request", { amount: { ...amount, currency: "USD" }, token })
    .refuses("PAYMENT_EXISTS", "amount");
  given(Payment, requested).when("request", { amount, token: "tok_other" }).refuses("PAYMENT_EXISTS", "token");
});

test("a payment that was declined or voided cannot be requested again", () => {
  given(Payment, requested, declined).when("request", { amount, token }).refuses("PAYMENT_DECLINED");
  given(Payment, voidRequested).when("request", { amount, token }).refuses("PAYMENT_VOIDED");
  given(Payment, voidRequested, voided).when("request", { amount, token }).refuses("PAYMENT_VOIDED");
});

test("the provider's answer is recorded once", () => {
  given(Payment, requested).when("recordAuthorized", { authorizationId: "auth_1" }).yields(authorized);
  given(Payment, requested, authorized).when("recordAuthorized", { authorizationId: "auth_1" }).yields();
  given(Payment, requested).when("recordDeclined", { reason: "card declined" }).yields(declined);
  given(Payment, requested, declined).when("recordDeclined", { reason: "card declined" }).yields();
  given(Payment).when("recordAuthorized", { authorizationId: "auth_1" }).refuses("PAYMENT_NOT_FOUND");
  given(Payment).when("recordDeclined", { reason: "no" }).refuses("PAYMENT_NOT_FOUND");
  given(Payment, requested, declined)
    .when("recordAuthorized", { authorizationId: "auth_1" })
    .refuses("PAYMENT_DECLINED");
});

test("an authorization that arrives after its void is recorded as late, and the void is due again", () => {
  for (const past of [
    [requested, voidRequested],
    [requested, voidRequested, voided],
  ]) {
    const late = given(Payment, ...past).when("recordAuthorized", { authorizationId: "auth_1" });
    late.yields(authorizedLate);
    late.becomes({ status: "void_requested" });
  }
  given(Payment, requested, voidRequested, voided, authorizedLate).when("recordVoided", {}).yields(voided);
});

test("only what is authorized is captured, once", () => {
  given(Payment, requested, authorized).when("requestCapture", {}).yields(captureRequested);
  given(Payment, requested, authorized, captureRequested).when("requestCapture", {}).yields();
  given(Payment, requested, authorized, captureRequested, captured).when("requestCapture", {}).yields();
  given(Payment).when("requestCapture", {}).refuses("PAYMENT_NOT_FOUND");
  given(Payment, requested).when("requestCapture", {}).refuses("PAYMENT_NOT_AUTHORIZED");
  given(Payment, requested, declined).when("requestCapture", {}).refuses("PAYMENT_DECLINED");
  given(Payment, requested, authorized, voidRequested).when("requestCapture", {}).refuses("PAYMENT_VOIDED");
  given(Payment, requested, authorized, captureRequested).when("recordCaptured", {}).yields(captured);
  given(Payment, requested, authorized, captureRequested, captured).when("recordCaptured", {}).yields();
  given(Payment, requested, authorized).when("recordCaptured", {}).refuses("PAYMENT_NOT_AUTHORIZED");
});

test("a void may come at any time before the capture was asked for, also before the request", () => {
  given(Payment).when("requestVoid", {}).yields(voidRequested);
  given(Payment, requested).when("requestVoid", {}).yields(voidRequested);
  given(Payment, requested, authorized).when("requestVoid", {}).yields(voidRequested);
  given(Payment, voidRequested).when("requestVoid", {}).yields();
  given(Payment, voidRequested, voided).when("requestVoid", {}).yields();
  given(Payment, requested, declined).when("requestVoid", {}).yields();
  given(Payment, requested, authorized, captureRequested).when("requestVoid", {}).refuses("PAYMENT_CAPTURED");
  given(Payment, requested, authorized, captureRequested, captured).when("requestVoid", {}).refuses("PAYMENT_CAPTURED");
  given(Payment, requested, voidRequested).when("recordVoided", {}).yields(voided);
  given(Payment, requested, voidRequested, voided).when("recordVoided", {}).yields();
  given(Payment, requested, declined).when("recordVoided", {}).yields();
});

const pending = event("payment.pending", {});
const expired = event("payment.expired", {});
const renewed = event("payment.renewed", { attempt: 2 });
const refundRequested = (refundId: string, amount: number) => event("payment.refund_requested", { refundId, amount });
const refunded = (refundId: string, amount: number) => event("payment.refunded", { refundId, amount });
const paid = [requested, authorized, captureRequested, captured];

test("pending, it waits for its customer until a durable timer says that they are late", () => {
  const waits = given(Payment, requested).when("recordPending", { deadlineMs: 60_000 });
  waits.yields(pending);
  waits.timers({ set: "expire", afterMs: 60_000, command: "expire", params: {} });
  given(Payment, requested, pending).when("recordPending", { deadlineMs: 60_000 }).yields();
  const yes = given(Payment, requested, pending).when("recordAuthorized", { authorizationId: "auth_1" });
  yes.yields(authorized);
  yes.timers({ cancel: "expire" });
  given(Payment, requested, pending).when("recordDeclined", { reason: "card declined" }).yields(declined);
  given(Payment, requested, pending).when("expire", {}).yields(expired);
  given(Payment, requested, pending, expired).when("expire", {}).yields();
  given(Payment, requested, authorized).when("expire", {}).yields();
  given(Payment, requested, pending).when("requestCapture", {}).refuses("PAYMENT_NOT_AUTHORIZED");
  given(Payment, requested, pending).when("requestVoid", {}).yields(voidRequested);
  given(Payment, requested, pending, voidRequested)
    .when("recordAuthorized", { authorizationId: "auth_1" })
    .yields(authorizedLate);
});

test("a capture that can never succeed: authorized anew, and captured once more", () => {
  const asked = [requested, authorized, captureRequested];
  given(Payment, ...asked)
    .when("renew", {})
    .yields(renewed);
  given(Payment, ...asked, renewed, event("payment.declined", { reason: "no" }))
    .when("renew", { token: "tok_other" })
    .yields(event("payment.renewed", { attempt: 3, token: "tok_other" }));
  given(Payment, ...asked, renewed, authorized)
    .when("requestCapture", {})
    .yields(captureRequested);
  given(Payment, ...paid)
    .when("renew", {})
    .refuses("PAYMENT_CAPTURED");
  for (const past of [[requested], [requested, authorized], [requested, declined], [requested, voidRequested, voided]])
    given(Payment, ...past)
      .when("renew", {})
      .refuses("PAYMENT_NOT_RENEWABLE");
  given(Payment).when("renew", {}).refuses("PAYMENT_NOT_FOUND");
});

test("its money is asked back also after a capture was asked for: the provider says whether it has moved", () => {
  given(Payment, requested, authorized, captureRequested).when("requestReturn", {}).yields(voidRequested);
  given(Payment, requested, authorized, captureRequested, voidRequested).when("recordCaptured", {}).yields(captured);
  given(Payment, ...paid)
    .when("requestReturn", {})
    .yields();
  given(Payment, ...paid, refundRequested("return", 2_500), refunded("return", 2_500))
    .when("requestVoid", {})
    .yields();
});

test("a payment that has to be refunded or authorized anew is not finished", () => {
  const isFinished = (...past: EventOf<typeof contract>[]) =>
    Payment.finished!(evolveAll(Payment, Payment.initial(), past));
  expect(isFinished(...paid)).toBe(true);
  expect(isFinished(...paid, refundRequested("r1", 500))).toBe(false);
  expect(isFinished(...paid, refundRequested("r1", 500), refunded("r1", 500))).toBe(true);
  expect(isFinished(requested, pending)).toBe(false);
  expect(isFinished(requested, declined)).toBe(true);
  expect(isFinished(requested, authorized, captureRequested, renewed, declined)).toBe(false);
});

test("refunds once a key, never above what was captured", () => {
  const half = refundRequested("r1", 1_500);
  given(Payment, ...paid)
    .when("requestRefund", { refundId: "r1", amount: 1_500 })
    .yields(half);
  given(Payment, ...paid, half)
    .when("requestRefund", { refundId: "r1", amount: 1_500 })
    .yields();
  given(Payment, ...paid, half)
    .when("requestRefund", { refundId: "r1", amount: 1_499 })
    .refuses("REFUND_EXISTS", "amount");
  given(Payment, ...paid, half)
    .when("requestRefund", { refundId: "r2", amount: 1_001 })
    .refuses("REFUND_TOO_LARGE", "amount");
  given(Payment, ...paid, half)
    .when("requestRefund", { refundId: "r2", amount: 1_000 })
    .yields(refundRequested("r2", 1_000));
  // A refund that failed leaves its amount to others.
  const failed = event("payment.refund_failed", { refundId: "r1", reason: "no" });
  given(Payment, ...paid, half, failed)
    .when("requestRefund", { refundId: "r2", amount: 2_500 })
    .yields(refundRequested("r2", 2_500));
  given(Payment, ...paid, half)
    .when("recordRefunded", { refundId: "r1" })
    .yields(refunded("r1", 1_500));
  given(Payment, ...paid, half, refunded("r1", 1_500))
    .when("recordRefunded", { refundId: "r1" })
    .yields();
  given(Payment, ...paid, half, refunded("r1", 1_500))
    .when("recordRefundFailed", { refundId: "r1", reason: "no" })
    .yields();
  given(Payment, ...paid)
    .when("recordRefunded", { refundId: "r1" })
    .refuses("REFUND_NOT_FOUND");
  for (const past of [
    [requested],
    [requested, authorized],
    [requested, authorized, captureRequested],
    [requested, declined],
  ])
    given(Payment, ...past)
      .when("requestRefund", { refundId: "r1", amount: 1 })
      .refuses("PAYMENT_NOT_CAPTURED");
});
