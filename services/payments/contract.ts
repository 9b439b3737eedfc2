import Type from "typebox";
import { ActorId, defineContract } from "../../mixins/contract/index.ts";
import { Money } from "../money.ts";

const token = Type.String({ minLength: 1, maxLength: 200, writeOnly: true });
const authorization = { id: ActorId, amount: Money, token };
const authorizationId = Type.String({ minLength: 1, maxLength: 100 });
const reason = Type.String({ maxLength: 500 });
const Status = Type.Enum(["requested", "authorized", "declined", "captured", "void_requested", "voided"]);
const result = Type.Object({ paymentId: Type.String(), status: Status });

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
  },
  commands: {
    request: { amount: Money, token },
    recordAuthorized: { authorizationId },
    recordDeclined: { reason },
    requestCapture: {},
    recordCaptured: {},
    requestVoid: {},
    recordVoided: {},
  },
  events: {
    "payment.requested": { amount: Money, token },
    "payment.authorized": { authorizationId },
    /** The provider's yes arrived after the void was asked for: it has to be voided again. */
    "payment.authorized_late": { authorizationId },
    "payment.declined": { reason },
    "payment.capture_requested": {},
    "payment.captured": {},
    "payment.void_requested": {},
    "payment.voided": {},
  },
  actions: {
    /** Command `request` → the provider, idempotent by the payment's id → command `recordAuthorized` or `recordDeclined`. */
    authorize: { params: authorization, returns: result },
    capture: { params: { id: ActorId }, returns: result },
    /** Void at the provider by idempotency key, also before the authorization has arrived there. `amount` and `token` come from nodes of earlier releases. */
    void: {
      params: { id: ActorId, amount: Type.Optional(Money), token: Type.Optional(token) },
      returns: result,
    },
  },
  refusals: [
    "PAYMENT_DECLINED",
    "PAYMENT_VOIDED",
    "PAYMENT_NOT_FOUND",
    "PAYMENT_NOT_AUTHORIZED",
    "PAYMENT_CAPTURED",
    "PAYMENT_EXISTS",
  ],
  // Money moves by the saga's hand alone.
  roles: {
    request: [],
    recordAuthorized: [],
    recordDeclined: [],
    requestCapture: [],
    recordCaptured: [],
    requestVoid: [],
    recordVoided: [],
    authorize: [],
    capture: [],
    void: [],
  },
});
declare global {
  interface Contracts {
    payments: typeof contract;
  }
}
