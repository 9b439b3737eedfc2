// Each action has three steps: a command that makes the intent durable, a request to the provider, a command that
// records the answer. Repeating the action under the same command id repeats all three: the commands are answered from
// their records, the provider answers by its idempotency key. An unclear answer of the provider is looked up by the
// key. If that is unclear too, the action is unavailable, and its caller calls again.
import type { Unavailable } from "@valence/runtime/kernel";
import { nodeEnvironment, Refusal, systemClock } from "@valence/runtime/kernel";
import { defineService, typedCall } from "@valence/runtime/contract";
import { Actors, executeOptionsOf } from "@valence/runtime/actor/mixin";
import { Reactors } from "@valence/runtime/stream/mixin";
import { metersOf } from "@valence/runtime/metrics";
import { shopErrors } from "../errors.ts";
import { contract } from "./contract.ts";
import { paymentsEnvironment } from "./environment.ts";
import { failpoint } from "./failpoints.ts";
import { paymentErrors } from "./errors.ts";
import { paymentMetrics } from "./metrics.ts";
import { isGivenBack, keptOf, Payment } from "./payment.ts";
import { ProviderAlarm } from "./provider-alarm.ts";
import { ProviderClient } from "./provider-client.ts";
import type { Outcome, PaymentProvider, RefundOutcome } from "./provider-port.ts";
import { VoidLate } from "./void-late.reactor.ts";

const limits = {
  /** Milliseconds between two checks whether the bundled provider has started. */
  arrivalLookMs: 50,
  /** Part of the deadline within which an unclear answer leaves time to look the key up. */
  lookWithin: 0.5,
} as const;

type Command = keyof typeof contract.commands;
/** The authorization of a total of zero: the provider was not asked. */
const NOTHING_DUE = "nothing-due";
/** The provider's key of a payment is the payment's id; of its second authorization `<id>:2`. Ids have no colon. */
const keyOf = (id: string, attempt = 1): string => (attempt === 1 ? id : `${id}:${attempt}`);
const refundKeyOf = (id: string, refundId: string): string => `${id}:refund:${refundId}`;
/** Id of the refund of all that is left, when an order is taken back. */
const RETURN_ID = "return";

export default defineService(contract, {
  mixins: [Actors(Payment), Reactors(VoidLate)],
  created() {
    const { PAYMENT_PROVIDER_URL } = paymentsEnvironment.of(this.broker);
    // Below the caller's own time-out, so that the caller gets our answer.
    this.deadlineMs = nodeEnvironment.of(this.broker).REQUEST_TIMEOUT_MS * 0.8;
    const options = {
      url: async () => PAYMENT_PROVIDER_URL ?? (await this.bundled(this.deadlineMs)).url,
      deadlineMs: this.deadlineMs,
    };
    this.provider = new ProviderClient(options);
    // The lookup comes after a request and has the rest of the time.
    this.lookup = new ProviderClient({ ...options, deadlineMs: this.deadlineMs * (1 - limits.lookWithin) });
    const { broker } = this;
    // Made at the start, so that the metric exists before it is needed: an alarm rule on a missing metric never fires.
    const refusals = metersOf(broker)?.counter(paymentMetrics.providerRefused);
    this.alarm = new ProviderAlarm({ logger: broker.logger, refusals });
  },
  actions: {
    authorize: {
      placement: "id",
      async handler(ctx) {
        const { id: _id, ...authorization } = ctx.params;
        await this.intend(ctx, "request", authorization);
        return this.advance(ctx);
      },
    },
    settle: {
      placement: "id",
      async handler(ctx) {
        const { id } = ctx.params;
        const { state } = await this.actors.get(id, { consistent: true });
        switch (state.status) {
          case undefined:
            throw paymentErrors.PAYMENT_NOT_FOUND();
          case "declined":
            throw declined(state.reason);
          case "void_requested":
          case "voided":
            throw paymentErrors.PAYMENT_VOIDED({ message: `payment ${id} was voided` });
          case "requested":
          case "pending": {
            const { status } = await this.advance(ctx);
            if (status === "requested") throw misconfigured();
            if (status !== "pending") return this.result(id);
            if (state.expired) throw paymentErrors.PAYMENT_EXPIRED();
            throw pending(id);
          }
          default:
            return this.result(id);
        }
      },
    },
    capture: {
      placement: "id",
      async handler(ctx) {
        const { id } = ctx.params;
        const before = (await this.actors.get(id, { consistent: true })).state;
        if (before.status === "requested" || before.status === "pending") throw pending(id);
        await this.intend(ctx, "requestCapture", {});
        const outcome = await this.ask(id, (provider: PaymentProvider, key: string) => provider.capture(key), {
          status: "captured",
        });
        switch (outcome.status) {
          case "captured":
            break;
          case "voided":
          case "declined":
            throw paymentErrors.PAYMENT_VOIDED({
              message: `the provider holds nothing any more for payment ${id}: authorize it anew, or take the order back`,
            });
          default:
            throw unclear(`the capture of payment ${id}`, outcome);
        }
        await this.record(ctx, "recordCaptured", {});
        return this.result(id);
      },
    },
    void: {
      placement: "id",
      async handler(ctx) {
        const { id, amount } = ctx.params;
        await this.intend(ctx, "requestVoid", {});
        if (isGivenBack((await this.actors.get(id)).state)) return this.result(id);
        return this.voidAtProvider(ctx, amount?.amount);
      },
    },
    giveBack: {
      placement: "id",
      async handler(ctx) {
        const { id } = ctx.params;
        await this.intend(ctx, "requestReturn", {});
        const { status } = (await this.actors.get(id, { consistent: true })).state;
        if (status === "declined" || status === "voided") return this.result(id);
        if (status === "void_requested")
          try {
            return await this.voidAtProvider(ctx);
          } catch (error) {
            if (!(error instanceof Refusal) || error.type !== "PAYMENT_CAPTURED") throw error;
            await this.record(ctx, "recordCaptured", {});
          }
        const { state } = await this.actors.get(id);
        const isAsked = state.refunds?.some((refund: { id: string }) => refund.id === RETURN_ID);
        if (!isAsked && keptOf(state) > 0)
          await this.record(ctx, "requestRefund", { refundId: RETURN_ID, amount: keptOf(state) });
        if ((isAsked || keptOf(state) > 0) && (await this.refundAtProvider(ctx, RETURN_ID)) === "failed")
          throw paymentErrors.REFUND_DECLINED({ id });
        return this.result(id);
      },
    },
    refund: {
      placement: "id",
      async handler(ctx) {
        const { refundId } = ctx.params;
        return { refundId, status: await this.refundAtProvider(ctx, refundId) };
      },
    },
    reauthorize: {
      placement: "id",
      async handler(ctx) {
        const { id, token } = ctx.params;
        const { state } = await this.actors.get(id, { consistent: true });
        const { status, attempt = 1 } = state;
        const isOther = token !== undefined && token !== state.token;
        const isWaiting = attempt > 1 && (status === "requested" || status === "pending") && !state.expired;
        if (!isWaiting || isOther) {
          // Whether the payment may be renewed, before the provider is asked for anything.
          if (!(state.captureRequested || attempt > 1) || status === "void_requested" || status === "voided")
            throw status === undefined ? paymentErrors.PAYMENT_NOT_FOUND() : paymentErrors.PAYMENT_NOT_RENEWABLE();
          if (status === "captured") throw paymentErrors.PAYMENT_CAPTURED();
          // Two holds would be two charges: the earlier one must be gone for sure.
          const gone = await this.ask(id, (provider: PaymentProvider, key: string) => provider.void(key), {
            status: "voided",
          });
          if (gone.status === "captured") {
            await this.record(ctx, "recordCaptured", {});
            return this.result(id);
          }
          if (gone.status !== "voided" && gone.status !== "declined") throw unclear(`the void of payment ${id}`, gone);
          await this.record(ctx, "renew", token === undefined ? {} : { token });
        }
        return this.advance(ctx);
      },
    },
    async notify(ctx) {
      const { body, signature } = ctx.params;
      const secret = await this.webhookSecret();
      const notice =
        secret && (this.provider as PaymentProvider).readNotice(body, signature, secret, systemClock.now());
      if (!notice) throw paymentErrors.BAD_SIGNATURE();
      const [id = "", attempt = "1"] = notice.key.split(":");
      const { state } = isActorId(id) ? await this.actors.get(id, { consistent: true }) : { state: Payment.initial() };
      if (state.status === undefined) throw paymentErrors.PAYMENT_NOT_FOUND();
      // A notice about an earlier authorization is ignored: that one is known to be gone.
      if (attempt === String(state.attempt ?? 1))
        await this.recordOutcome(Object.assign(Object.create(ctx), { params: { id } }), notice.outcome);
      return { received: true };
    },
    provider() {
      return this.alarm.state();
    },
  },
  methods: {
    /** The intent has the action's own command id: abandoning the id stops an action that has not arrived yet. */
    async intend(ctx: any, command: Command, params: object) {
      await this.actors.execute(ctx.params.id, command, params, executeOptionsOf(ctx));
      failpoint("payments:after-request");
    },
    /**
     * Asks the provider about the payment's key; for a payment of zero it answers `free` without asking. Raises the
     * alarm when the provider refuses our requests as such.
     */
    async ask<O extends { status: string }>(
      id: string,
      request: (provider: PaymentProvider, key: string) => Promise<O>,
      free: O,
    ): Promise<O | Outcome> {
      const { state } = await this.actors.get(id);
      if (state.amount?.amount === 0) return free;
      const key = keyOf(id, state.attempt);
      const began = performance.now();
      let outcome: O | Outcome = await request(this.provider, key);
      failpoint("payments:after-provider");
      if (outcome.status === "unknown" && performance.now() - began < this.deadlineMs * limits.lookWithin) {
        const found: Outcome = await this.lookup.find(key);
        // A lookup that is refused says nothing about the request.
        if (found.status !== "unknown" && found.status !== "misconfigured") outcome = found;
      }
      this.hear(outcome);
      return outcome;
    },
    hear(outcome: { status: string; reason?: string }) {
      if (outcome.status === "misconfigured") this.alarm.raise(outcome.reason ?? "");
      else if (outcome.status !== "unknown") this.alarm.end();
    },
    /** Asks for the authorization, or for its state, and records the answer. Refuses when there will be none. */
    async advance(ctx: any) {
      const { id } = ctx.params;
      const { state } = await this.actors.get(id);
      const { amount, token, status: before } = state;
      // A repetition long after the first answer: since then the provider may have been asked for more.
      if (before === "authorized" || before === "captured") return this.result(id);
      const outcome: Outcome = await this.ask(
        id,
        (provider: PaymentProvider, key: string) =>
          before === "pending" ? provider.find(key) : provider.authorize(key, { amount: amount!, token: token! }),
        { status: "authorized", authorizationId: NOTHING_DUE },
      );
      await this.recordOutcome(ctx, outcome);
      if (outcome.status === "declined") throw declined();
      const result = await this.result(id);
      // The void was asked for meanwhile: the authorization is recorded as late, and a reactor voids it again.
      if (outcome.status === "voided" || result.status === "void_requested" || result.status === "voided")
        throw paymentErrors.PAYMENT_VOIDED({ message: `payment ${id} was voided` });
      if (outcome.status === "captured" || (outcome.status === "unknown" && before !== "pending"))
        throw unclear(`the authorization of payment ${id}`, outcome);
      return result;
    },
    /** Records the outcome of an authorization. */
    async recordOutcome(ctx: any, outcome: Outcome) {
      const { PAYMENT_PENDING_MS: deadlineMs } = paymentsEnvironment.of(this.broker);
      const { status } = (await this.actors.get(ctx.params.id)).state;
      if (outcome.status === "authorized")
        await this.record(ctx, "recordAuthorized", { authorizationId: outcome.authorizationId });
      if (outcome.status === "declined") await this.record(ctx, "recordDeclined", { reason: DECLINED });
      if (outcome.status === "pending" && status === "requested")
        await this.record(ctx, "recordPending", { deadlineMs });
    },
    /** `amount` for a payment that does not know it yet, because its request has not come. */
    async voidAtProvider(ctx: any, amount?: number) {
      const { id } = ctx.params;
      const outcome: Outcome =
        amount === 0
          ? { status: "voided" }
          : await this.ask(id, (provider: PaymentProvider, key: string) => provider.void(key), { status: "voided" });
      if (outcome.status === "captured")
        throw paymentErrors.PAYMENT_CAPTURED({ message: `the provider has captured payment ${id}` });
      // Only these two say that no money is held. A 404 may come from a proxy, or from a provider that will authorize
      // later.
      if (outcome.status !== "voided" && outcome.status !== "declined")
        throw unclear(`the void of payment ${id}`, outcome);
      await this.record(ctx, "recordVoided", {});
      return this.result(id);
    },
    /** The outcome of a refund that was asked for. */
    async refundAtProvider(ctx: any, refundId: string): Promise<"refunded" | "failed"> {
      const { id } = ctx.params;
      const { state } = await this.actors.get(id, { consistent: true });
      const asked = state.refunds?.find((refund: { id: string }) => refund.id === refundId);
      if (!asked) throw shopErrors.REFUND_NOT_FOUND();
      if (asked.status !== "requested") return asked.status;
      const refund = { key: refundKeyOf(id, refundId), amount: { ...state.amount!, amount: asked.amount } };
      const outcome: RefundOutcome =
        asked.amount === 0 ? { status: "refunded" } : await this.provider.refund(keyOf(id, state.attempt), refund);
      failpoint("payments:after-provider");
      this.hear(outcome);
      if (outcome.status === "declined") {
        await this.record(ctx, "recordRefundFailed", { refundId, reason: "the provider declined the refund" });
        return "failed";
      }
      if (outcome.status !== "refunded") throw unclear(`refund ${refundId} of payment ${id}`, outcome);
      await this.record(ctx, "recordRefunded", { refundId });
      return "refunded";
    },
    /** Records what the provider has done, even when the caller's deadline has passed meanwhile. */
    async record(ctx: any, command: Command, params: object) {
      const { commandId, metadata } = executeOptionsOf(ctx);
      await this.actors.execute(ctx.params.id, command, params, {
        metadata,
        ...(commandId !== undefined && { commandId: `${commandId}/${command}` }),
      });
    },
    async result(id: string) {
      const { state } = await this.actors.get(id);
      return { paymentId: id, status: state.status };
    },
    /** Any client may send a webhook: this does not wait for a provider that has not started. */
    async webhookSecret(): Promise<string | undefined> {
      const { PAYMENT_PROVIDER_URL, PAYMENT_WEBHOOK_SECRET } = paymentsEnvironment.of(this.broker);
      const isBundled =
        PAYMENT_PROVIDER_URL === undefined && this.broker.registry.actions.isAvailable("payment-provider.url");
      return PAYMENT_WEBHOOK_SECRET ?? (isBundled ? (await this.bundled(this.deadlineMs)).webhookSecret : undefined);
    },
    /** At a start, open sagas ask before the provider has started: all share one wait and one warning. */
    async bundled(patienceMs: number): Promise<{ url: string; webhookSecret?: string }> {
      const { actions } = this.broker.registry;
      try {
        if (!actions.isAvailable("payment-provider.url"))
          await (this.arrival ??= this.broker
            .waitForServices("payment-provider", patienceMs, limits.arrivalLookMs)
            .finally(() => (this.arrival = undefined)));
        return await typedCall(this.broker)("payment-provider.url", {});
      } catch (cause) {
        throw paymentErrors.PROVIDER_UNAVAILABLE({ cause });
      }
    },
  },
});

const DECLINED = "the provider declined the payment";
const declined = (reason = DECLINED): Refusal => paymentErrors.PAYMENT_DECLINED({ message: reason });

/** No final answer: a repetition of the command gets it. */
function unclear(what: string, outcome: { readonly status: string; readonly reason?: string }): Unavailable {
  if (outcome.status === "misconfigured") return misconfigured(outcome.reason);
  const said = outcome.status === "unknown" ? outcome.reason : `the provider answers ${outcome.status}`;
  return paymentErrors.PROVIDER_UNAVAILABLE({
    message: `${what} is not confirmed: ${said}`,
    outcome: "unknown",
    retryAfterMs: 500,
  });
}
const misconfigured = (reason = "see the log"): Unavailable => paymentErrors.PROVIDER_MISCONFIGURED({ reason });
const pending = (id: string): Unavailable => paymentErrors.PAYMENT_PENDING({ id });

const isActorId = (id: string): boolean => /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(id);
