// One payment, as we know it. Intents are recorded before the provider is asked, results after:
//
//   requested → (pending) → authorized → (capture_requested) → captured → (refund_requested → refunded or refund_failed)…
//   requested, pending → declined
//   any of them before a capture was asked for, or no request at all → void_requested → voided
//   a capture that can never succeed → renewed: requested once more, under a key of its own
//
// A void may overtake its authorization. The provider's tombstone then refuses the authorization; if it authorizes
// nevertheless, that is recorded as late, and the void is due once more.
import { defineActor, type Decision, type StateOf } from "@valence/runtime/actor";
import { contract } from "./contract.ts";

const { event } = contract;
type State = StateOf<typeof contract>;
type Refunds = NonNullable<State["refunds"]>;

export const limits = {
  /** Refunds of one payment: each is in its state. An order has at most 100 lines. */
  refunds: 200,
} as const;

/** Minor units of all refunds that were asked for, without failed ones. */
export const refundedOf = ({ refunds = [] }: State): number =>
  refunds.reduce((sum, { amount, status }) => (status === "failed" ? sum : sum + amount), 0);

/** Minor units that were captured and are in no refund. */
export const keptOf = (state: State): number =>
  state.status === "captured" ? (state.amount?.amount ?? 0) - refundedOf(state) : 0;

export const Payment = defineActor(contract)({
  // Schema 2: pending, renewed and refunded payments. An earlier release would take their states for others.
  snapshotSchema: 2,
  initial: () => ({}),
  begins: ["request"],
  decide: {
    request: (state, { amount, token }, { refuse }) => {
      switch (state.status) {
        case undefined:
          return [event("payment.requested", { amount, token })];
        case "declined":
          throw refuse("PAYMENT_DECLINED", state.reason === undefined ? {} : { message: state.reason });
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
        case "pending":
          return {
            events: [event("payment.authorized", { authorizationId })],
            timers: status === "pending" ? [{ cancel: "expire" }] : [],
          };
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
      return status === "requested" || status === "pending" ? [event("payment.declined", { reason })] : [];
    },
    recordPending: ({ status }, { deadlineMs }, { refuse }) => {
      if (status === undefined) throw refuse("PAYMENT_NOT_FOUND");
      if (status !== "requested") return [];
      return {
        events: [event("payment.pending", {})],
        timers: [{ set: "expire", afterMs: deadlineMs, command: "expire", params: {} }],
      };
    },
    expire: ({ status, expired }) => (status === "pending" && !expired ? [event("payment.expired", {})] : []),
    requestCapture: ({ status, captureRequested, reason }, _params, { refuse }) => {
      switch (status) {
        case undefined:
          throw refuse("PAYMENT_NOT_FOUND");
        case "requested":
        case "pending":
          throw refuse("PAYMENT_NOT_AUTHORIZED");
        case "declined":
          throw refuse("PAYMENT_DECLINED", reason === undefined ? {} : { message: reason });
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
    requestVoid: (state, _params, { refuse }) => {
      const { status, captureRequested } = state;
      if (status === "voided" || isGivenBack(state)) return [];
      // After the capture was asked for, the money may have moved: the intent cannot be withdrawn.
      if (captureRequested) throw refuse("PAYMENT_CAPTURED");
      return isOpen(status) ? [event("payment.void_requested", {})] : [];
    },
    requestReturn: ({ status }) => (isOpen(status) ? [event("payment.void_requested", {})] : []),
    recordVoided: ({ status }) => (status === "void_requested" ? [event("payment.voided", {})] : []),
    renew: ({ status, captureRequested, attempt = 1 }, { token }, { refuse }) => {
      if (status === undefined) throw refuse("PAYMENT_NOT_FOUND");
      if (status === "captured") throw refuse("PAYMENT_CAPTURED");
      // Before a capture was asked for, the saga itself still decides about the payment.
      if (status === "void_requested" || status === "voided" || !(captureRequested || attempt > 1))
        throw refuse("PAYMENT_NOT_RENEWABLE", { message: `this payment is ${status}: nothing was to be captured` });
      return [event("payment.renewed", { attempt: attempt + 1, ...(token !== undefined && { token }) })];
    },
    requestRefund: (state, { refundId, amount }, { refuse }) => {
      const { status, refunds = [] } = state;
      if (status === undefined) throw refuse("PAYMENT_NOT_FOUND");
      if (status !== "captured") throw refuse("PAYMENT_NOT_CAPTURED", { status });
      const known = refunds.find(({ id }) => id === refundId);
      if (known && known.amount !== amount)
        throw refuse("REFUND_EXISTS", { field: "amount", message: `refund ${refundId} is of ${known.amount}` });
      if (known) return [];
      if (amount > keptOf(state))
        throw refuse("REFUND_TOO_LARGE", {
          field: "amount",
          message: `${keptOf(state)} of it can still be given back`,
        });
      if (refunds.length >= limits.refunds) throw refuse("TOO_MANY_REFUNDS");
      return [event("payment.refund_requested", { refundId, amount })];
    },
    recordRefunded: ({ refunds }, { refundId }, { refuse }) => {
      const { amount, status } = refundIn(refunds, refundId, refuse);
      return status === "requested" ? [event("payment.refunded", { refundId, amount })] : [];
    },
    recordRefundFailed: ({ refunds }, { refundId, reason }, { refuse }) =>
      refundIn(refunds, refundId, refuse).status === "requested"
        ? [event("payment.refund_failed", { refundId, reason })]
        : [],
  },
  finished: ({ status, attempt = 1, refunds = [] }) =>
    (status === "captured" && !refunds.some(refund => refund.status === "requested")) ||
    // A second authorization that is declined leaves its saga to an operator.
    (status === "declined" && attempt === 1) ||
    status === "voided",
  evolve: {
    "payment.requested": (_state, { amount, token }) => ({ status: "requested", amount, token }),
    "payment.pending": state => ({ ...state, status: "pending" }),
    "payment.expired": state => ({ ...state, expired: true }),
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
    "payment.renewed": ({ amount, token }, renewed) => ({
      status: "requested",
      ...(amount && { amount }),
      ...(token !== undefined && { token }),
      ...renewed,
    }),
    "payment.refund_requested": (state, { refundId, amount }) => ({
      ...state,
      refunds: [...(state.refunds ?? []), { id: refundId, amount, status: "requested" }],
    }),
    "payment.refunded": (state, { refundId }) => withRefund(state, refundId, "refunded"),
    "payment.refund_failed": (state, { refundId }) => withRefund(state, refundId, "failed"),
  },
});

const isOpen = (status: State["status"]): boolean =>
  status === undefined || status === "requested" || status === "pending" || status === "authorized";

/** Whether all captured money is in refunds. */
export const isGivenBack = (state: State): boolean => state.status === "captured" && keptOf(state) === 0;

function refundIn(
  refunds: Refunds = [],
  refundId: string,
  refuse: Decision<typeof contract>["refuse"],
): Refunds[number] {
  const refund = refunds.find(({ id }) => id === refundId);
  if (!refund) throw refuse("REFUND_NOT_FOUND");
  return refund;
}

const withRefund = (state: State, refundId: string, status: Refunds[number]["status"]): State => ({
  ...state,
  refunds: (state.refunds ?? []).map(refund => (refund.id === refundId ? { ...refund, status } : refund)),
});
