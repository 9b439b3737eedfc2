import { test } from "@jest/globals";
import { given } from "../../mixins/actor/index.ts";
import { checkGolden } from "../golden.fixture.ts";
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
