// One payment, as we know it. Intents are recorded before the provider is asked, results after:
//
//   requested → authorized → (capture_requested) → captured
//   requested → declined
//   any of them before a capture was asked for, or nothing at all → void_requested → voided
//
// A void may overtake its authorization. The provider then refuses the authorization (its tombstone); should its yes
// arrive nevertheless, it is recorded as late, and the void is due once more.
import { defineActor } from "../../mixins/actor/index.ts";
import { contract } from "./contract.ts";

const { event } = contract;

export const Payment = defineActor(contract)({
  initial: () => ({}),
  begins: ["request"],
  decide: {
    request: (state, { amount, token }, { refuse }) => {
      switch (state.status) {
        case undefined:
          return [event("payment.requested", { amount, token })];
        case "declined":
          throw refuse("PAYMENT_DECLINED", { message: state.reason ?? "the payment was declined" });
        case "void_requested":
        case "voided":
          throw refuse("PAYMENT_VOIDED");
        default:
          if (amount.amount !== state.amount?.amount || amount.currency !== state.amount.currency)
            throw refuse("PAYMENT_EXISTS", { field: "amount", message: "this payment is of another amount" });
          if (token !== state.token)
            throw refuse("PAYMENT_EXISTS", { field: "token", message: "this payment is by another token" });
          return [];
      }
    },
    recordAuthorized: ({ status }, { authorizationId }, { refuse }) => {
      switch (status) {
        case "requested":
          return [event("payment.authorized", { authorizationId })];
        case "void_requested":
        case "voided":
          return [event("payment.authorized_late", { authorizationId })];
        case "declined":
          throw refuse("PAYMENT_DECLINED");
        case undefined:
          throw refuse("PAYMENT_NOT_FOUND");
        default:
          return [];
      }
    },
    recordDeclined: ({ status }, { reason }, { refuse }) => {
      if (status === undefined) throw refuse("PAYMENT_NOT_FOUND");
      return status === "requested" ? [event("payment.declined", { reason })] : [];
    },
    requestCapture: ({ status, captureRequested, reason }, _params, { refuse }) => {
      switch (status) {
        case undefined:
          throw refuse("PAYMENT_NOT_FOUND");
        case "requested":
          throw refuse("PAYMENT_NOT_AUTHORIZED");
        case "declined":
          throw refuse("PAYMENT_DECLINED", { message: reason ?? "the payment was declined" });
        case "void_requested":
        case "voided":
          throw refuse("PAYMENT_VOIDED");
        default:
          return captureRequested ? [] : [event("payment.capture_requested", {})];
      }
    },
    recordCaptured: ({ status, captureRequested }, _params, { refuse }) => {
      if (status === "captured") return [];
      if (!captureRequested) throw refuse("PAYMENT_NOT_AUTHORIZED");
      return [event("payment.captured", {})];
    },
    requestVoid: ({ status, captureRequested }, _params, { refuse }) => {
      // Once the capture was asked for, the money may have moved: nothing takes the intent back.
      if (captureRequested) throw refuse("PAYMENT_CAPTURED", { message: "this payment was captured" });
      const open = status === undefined || status === "requested" || status === "authorized";
      return open ? [event("payment.void_requested", {})] : [];
    },
    recordVoided: ({ status }) => (status === "void_requested" ? [event("payment.voided", {})] : []),
  },
  finished: ({ status }) => status === "captured" || status === "declined" || status === "voided",
  evolve: {
    "payment.requested": (_state, { amount, token }) => ({ status: "requested", amount, token }),
    "payment.authorized": (state, { authorizationId }) => ({ ...state, status: "authorized", authorizationId }),
    "payment.authorized_late": (state, { authorizationId }) => ({
      ...state,
      status: "void_requested",
      authorizationId,
    }),
    "payment.declined": (state, { reason }) => ({ ...state, status: "declined", reason }),
    "payment.capture_requested": state => ({ ...state, captureRequested: true }),
    "payment.captured": state => ({ ...state, status: "captured" }),
    "payment.void_requested": state => ({ ...state, status: "void_requested" }),
    "payment.voided": state => ({ ...state, status: "voided" }),
  },
});
