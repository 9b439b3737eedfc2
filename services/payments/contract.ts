import Type from "typebox";
import { ActorId, defineContract } from "@valence/runtime/contract";
import { NO_CARD_NUMBER } from "../card-number.ts";
import { shopErrors } from "../errors.ts";
import { Money } from "../money.ts";
import { paymentErrors } from "./errors.ts";

const token = Type.String({ minLength: 1, maxLength: 200, writeOnly: true });
/** A card's number in place of a token is refused: it would stand in every log and journal, in clear. */
const newToken = Type.String({ minLength: 1, maxLength: 200, format: NO_CARD_NUMBER, writeOnly: true });
const authorization = { id: ActorId, amount: Money, token: newToken };
const authorizationId = Type.String({ minLength: 1, maxLength: 100 });
const reason = Type.String({ maxLength: 500 });
const attempt = Type.Integer({ minimum: 2, maximum: 1_000 });
const refundId = Type.String({ minLength: 1, maxLength: 64 });
const minorUnits = Type.Integer({ minimum: 0, maximum: 100_000_000_000 });
const Status = Type.Enum(["requested", "pending", "authorized", "declined", "captured", "void_requested", "voided"]);
const result = Type.Object({ paymentId: Type.String(), status: Status }, { title: "PaymentState" });

/** One payment actor an order, with the order's id. Outside effects are in the actions, between two commands. */
export const contract = defineContract({
  service: "payments",
  actor: "payment",
  state: {
    status: Type.Optional(Status),
    amount: Type.Optional(Money),
    token: Type.Optional(token),
    authorizationId: Type.Optional(authorizationId),
    reason: Type.Optional(reason),
    captureRequested: Type.Optional(Type.Boolean()),
    /** The customer did not agree in time. */
    expired: Type.Optional(Type.Boolean()),
    /** Number of the authorization, from the second on. */
    attempt: Type.Optional(attempt),
    refunds: Type.Optional(
      Type.Array(
        Type.Object({ id: refundId, amount: minorUnits, status: Type.Enum(["requested", "refunded", "failed"]) }),
      ),
    ),
  },
  commands: {
    request: { amount: Money, token: newToken },
    recordAuthorized: { authorizationId },
    recordDeclined: { reason },
    recordPending: { deadlineMs: Type.Integer({ minimum: 1 }) },
    expire: {},
    requestCapture: {},
    recordCaptured: {},
    requestVoid: {},
    /**
     * Like `requestVoid`, but also after a capture was asked for: the provider will say whether the money has moved.
     */
    requestReturn: {},
    recordVoided: {},
    renew: { token: Type.Optional(newToken) },
    requestRefund: { refundId, amount: minorUnits },
    recordRefunded: { refundId },
    recordRefundFailed: { refundId, reason },
  },
  events: {
    "payment.requested": { amount: Money, token },
    /** The customer first has to agree, at their bank. */
    "payment.pending": {},
    "payment.expired": {},
    "payment.authorized": { authorizationId },
    /** The provider's authorization arrived after the void was asked for: it has to be voided again. */
    "payment.authorized_late": { authorizationId },
    "payment.declined": { reason },
    "payment.capture_requested": {},
    "payment.captured": {},
    "payment.void_requested": {},
    "payment.voided": {},
    /** Another authorization in place of one that can no longer be captured. Without `token` it uses the same. */
    "payment.renewed": { attempt, token: Type.Optional(token) },
    "payment.refund_requested": { refundId, amount: minorUnits },
    "payment.refunded": { refundId, amount: minorUnits },
    "payment.refund_failed": { refundId, reason },
  },
  actions: {
    /**
     * Runs the command `request`, then asks the provider (idempotent by the payment's id), then runs
     * `recordAuthorized`, `recordDeclined` or `recordPending`. The status may be `pending`, or `requested` when the
     * provider refuses our requests: `settle` then continues.
     */
    authorize: { params: authorization, returns: result },
    /**
     * Answers once the payment is authorized. Until then it is unavailable (`PAYMENT_PENDING`,
     * `PROVIDER_MISCONFIGURED`): call again. Refuses when the payment is declined or has expired.
     */
    settle: { params: { id: ActorId }, returns: result },
    capture: { params: { id: ActorId }, returns: result },
    /**
     * Voids the payment at the provider by its idempotency key, also before the authorization has arrived there. Nodes
     * of earlier releases send `token`.
     */
    void: {
      params: { id: ActorId, amount: Type.Optional(Money), token: Type.Optional(token) },
      returns: result,
    },
    /** All of the money back, whether it was captured or not. */
    giveBack: { params: { id: ActorId }, returns: result },
    /**
     * After the command `requestRefund`: the provider gives the money back, once for each `refundId`. `failed`: the
     * provider will not.
     */
    refund: {
      params: { id: ActorId, refundId },
      returns: Type.Object({ refundId: Type.String(), status: Type.Enum(["refunded", "failed"]) }),
    },
    /**
     * For an operator, when the authorization can no longer be captured (it expired): makes sure that it is voided,
     * then authorizes anew, by another `token` if one is given. Then retry the saga.
     */
    reauthorize: { params: { id: ActorId, token: Type.Optional(newToken) }, returns: result },
    /** The provider's webhook: its raw body, and the header with its signature. */
    notify: {
      params: { body: Type.String({ maxLength: 20_000 }), signature: Type.String({ maxLength: 200 }) },
      returns: Type.Object({ received: Type.Boolean() }),
    },
    /** This node's knowledge of the provider: whether it refuses our requests, since when and why. */
    provider: {
      params: {},
      returns: Type.Object({
        misconfigured: Type.Boolean(),
        refused: Type.Integer(),
        reason: Type.Optional(Type.String()),
        since: Type.Optional(Type.String()),
      }),
    },
  },
  refusals: {
    ...paymentErrors,
    REFUND_EXISTS: shopErrors.REFUND_EXISTS,
    REFUND_NOT_FOUND: shopErrors.REFUND_NOT_FOUND,
    REFUND_TOO_LARGE: shopErrors.REFUND_TOO_LARGE,
    TOO_MANY_REFUNDS: shopErrors.TOO_MANY_REFUNDS,
  },
  // Refusals of the actions that people call; the sagas' steps may give any.
  mayRefuse: {
    reauthorize: [
      "PAYMENT_NOT_FOUND",
      "PAYMENT_NOT_RENEWABLE",
      "PAYMENT_CAPTURED",
      "PAYMENT_DECLINED",
      "PAYMENT_VOIDED",
      "PROVIDER_UNAVAILABLE",
      "PROVIDER_MISCONFIGURED",
    ],
    notify: ["BAD_SIGNATURE", "PAYMENT_NOT_FOUND", "PAYMENT_DECLINED"],
    provider: [],
  },
  // Only the sagas move money; an operator acts where they cannot go on.
  permissions: {
    request: false,
    recordAuthorized: false,
    recordDeclined: false,
    recordPending: false,
    expire: false,
    requestCapture: false,
    recordCaptured: false,
    requestVoid: false,
    requestReturn: false,
    recordVoided: false,
    renew: false,
    requestRefund: false,
    recordRefunded: false,
    recordRefundFailed: false,
    authorize: false,
    settle: false,
    capture: false,
    void: false,
    giveBack: false,
    refund: false,
    reauthorize: "payments:write",
    provider: "payments:read",
  },
  callers: { checkout: ["authorize", "settle", "capture", "void", "giveBack", "requestRefund", "refund"] },
});
declare global {
  interface Contracts {
    payments: typeof contract;
  }
}
