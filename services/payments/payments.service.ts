// Each action is three steps: a command that makes the intent durable, the provider over HTTP, a command that records
// its answer. Whoever repeats the action under the same command id repeats all three: the commands are answered from
// their record, the provider by its idempotency key.
import { environmentOf, failpoint, Refusal, Unavailable } from "../../mixins/kernel/index.ts";
import { defineService, typedCall } from "../../mixins/contract/index.ts";
import { Actors, executeOptionsOf } from "../../mixins/actor/mixin.ts";
import { Reactors } from "../../mixins/stream/mixin.ts";
import { contract } from "./contract.ts";
import { Payment } from "./payment.ts";
import { ProviderClient, type ProviderAnswer } from "./provider-client.ts";
import { VoidLate } from "./void-late.reactor.ts";

const limits = {
  /** Milliseconds between two looks whether the bundled provider has come. */
  arrivalLookMs: 50,
} as const;

type Command = keyof typeof contract.commands;

export default defineService(contract, {
  mixins: [Actors(Payment), Reactors(VoidLate)],
  created() {
    const { paymentProviderUrl, requestTimeoutMs } = environmentOf(this.broker);
    // Below the caller's own time-out: it should hear what we know.
    const deadlineMs = requestTimeoutMs * 0.8;
    this.provider = new ProviderClient({
      url: async () => paymentProviderUrl ?? (await this.bundledUrl(deadlineMs)),
      deadlineMs,
    });
  },
  actions: {
    authorize: {
      placement: "id",
      async handler(ctx) {
        const { id, ...authorization } = ctx.params;
        await this.intend(ctx, "request", authorization);
        const { status, authorizationId } = await this.ask(() => this.provider.authorize(id, authorization));
        if (status === "declined") {
          const reason = "the provider declined the payment";
          await this.record(ctx, "recordDeclined", { reason });
          throw new Refusal("PAYMENT_DECLINED", { message: reason });
        }
        if (status === "voided") throw new Refusal("PAYMENT_VOIDED", { message: `payment ${id} was voided` });
        if (authorizationId === undefined)
          throw new Unavailable("PROVIDER_UNAVAILABLE", { message: `${status} without an id`, outcome: "unknown" });
        await this.record(ctx, "recordAuthorized", { authorizationId });
        const result = await this.result(id);
        // Its void was asked for meanwhile: the record is a late one, and a reactor voids again.
        if (result.status === "void_requested" || result.status === "voided")
          throw new Refusal("PAYMENT_VOIDED", { message: `payment ${id} was voided` });
        return result;
      },
    },
    capture: {
      placement: "id",
      async handler(ctx) {
        const { id } = ctx.params;
        await this.intend(ctx, "requestCapture", {});
        const { status } = await this.ask(() => this.provider.capture(id));
        if (status !== "captured")
          throw new Refusal(status === "voided" ? "PAYMENT_VOIDED" : "PAYMENT_NOT_AUTHORIZED", {
            message: `the provider cannot capture payment ${id}: ${status}`,
          });
        await this.record(ctx, "recordCaptured", {});
        return this.result(id);
      },
    },
    void: {
      placement: "id",
      async handler(ctx) {
        const { id } = ctx.params;
        await this.intend(ctx, "requestVoid", {});
        const { status } = await this.ask(() => this.provider.void(id));
        if (status === "captured")
          throw new Refusal("PAYMENT_CAPTURED", { message: `the provider has captured payment ${id}` });
        // Only these two say that no money is held. A 404 is a proxy's, or of a provider that will authorize yet.
        if (status !== "voided" && status !== "declined")
          throw new Unavailable("PROVIDER_UNAVAILABLE", {
            message: `the provider has not confirmed the void of payment ${id}: ${status}`,
            outcome: "unknown",
            retryAfterMs: 500,
          });
        await this.record(ctx, "recordVoided", {});
        return this.result(id);
      },
    },
  },
  methods: {
    /** The intent takes the action's own command id, so that abandoning the id stops an action that has not come yet. */
    async intend(ctx: any, command: Command, params: object) {
      await this.actors.execute(ctx.params.id, command, params, executeOptionsOf(ctx));
      failpoint("payments:after-request");
    },
    async ask(request: () => Promise<ProviderAnswer>) {
      const answer = await request();
      failpoint("payments:after-provider");
      return answer;
    },
    /** What the provider has done is recorded even when the caller's deadline has passed meanwhile. */
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
    /** At a start the open sagas ask before it is there: one wait for all of them, not a warning from each. */
    async bundledUrl(patienceMs: number) {
      const { actions } = this.broker.registry;
      try {
        if (!actions.isAvailable("payment-provider.url"))
          await (this.arrival ??= this.broker
            .waitForServices("payment-provider", patienceMs, limits.arrivalLookMs)
            .finally(() => (this.arrival = undefined)));
        return (await typedCall(this.broker)("payment-provider.url", {})).url;
      } catch (cause) {
        throw new Unavailable("PROVIDER_UNAVAILABLE", { message: "the payment provider is not there", cause });
      }
    },
  },
});
