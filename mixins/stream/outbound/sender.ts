// Sends deliveries to their webhooks, in the background of its service. Each webhook has its own few requests at once and its
// own waits, so that one that is slow or away holds up neither the others nor the consumer of events.
import { backoffMs, plainError, settledWithin, WakeableLoop } from "../../kernel/index.ts";
import { failpoint } from "../failpoints.ts";
import type { Deliveries, DueDelivery } from "./deliveries.ts";
import { limits } from "./limits.ts";
import type { Posted, Poster } from "./post.ts";
import { webhookHeaders } from "./signature.ts";
import type { Failing, Target, Webhooks } from "./webhooks.ts";

export type DeliveryOutcome = "delivered" | "postponed" | "given_up";

export interface SenderOptions {
  readonly webhooks: Webhooks;
  readonly deliveries: Deliveries;
  readonly poster: Poster;
  /** Milliseconds since the epoch, on the database's clock. */
  readonly now: () => Promise<number>;
  readonly logger: { info(line: string): void; warn(line: string): void };
  /** Told what has become of each attempt, for counting. */
  readonly count?: ((outcome: DeliveryOutcome) => void) | undefined;
}

export class Sender {
  readonly #options: SenderOptions;
  readonly #loop = new WakeableLoop(() => this.#turnOrTell());
  /** Requests on their way, by webhook. */
  readonly #sending = new Map<string, Set<Promise<void>>>();
  #forgottenAt = -Infinity;
  #trouble = "";

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  start(): void {
    this.#loop.start();
  }

  /** Looks for deliveries now: there are new ones, or there is room for more. */
  wake(): void {
    this.#loop.wake();
  }

  /** Requests on their way get a few seconds; another node, or the next start, sends the rest. */
  stop(): Promise<void> {
    const sent = [...this.#sending.values()].flatMap(requests => [...requests]);
    return settledWithin([this.#loop.stop(), ...sent], limits.stopMs);
  }

  async #turnOrTell(): Promise<number> {
    try {
      return await this.#turn();
    } catch (error) {
      return this.#tell(plainError(error).message);
    }
  }

  /** Begins to send what is due and has room; answers the milliseconds until the next turn. */
  async #turn(): Promise<number> {
    const { webhooks, deliveries, now: clock } = this.#options;
    const now = await clock();
    if (performance.now() - this.#forgottenAt > limits.forgetEveryMs) {
      await deliveries.forgetOld(now);
      this.#forgottenAt = performance.now();
    }
    let nextAt = now + limits.pollMs;
    for (const target of await webhooks.targets(now)) {
      const room = this.#roomFor(target);
      if (target.heldUntil > now) nextAt = Math.min(nextAt, target.heldUntil);
      else if (room > 0) nextAt = Math.min(nextAt, await this.#begin(target, room, now));
    }
    this.#trouble = "";
    return Math.max(0, nextAt - now);
  }

  /** One that has just failed is asked by one request, until it answers again. */
  #roomFor({ id, failures }: Target): number {
    return (failures > 0 ? 1 : limits.perWebhook) - (this.#sending.get(id)?.size ?? 0);
  }

  /** Answers when the next delivery of the webhook is due. A request that ends makes room, and wakes. */
  async #begin(target: Target, room: number, now: number): Promise<number> {
    const { due, nextAt } = await this.#options.deliveries.claim(target.id, room, now);
    const requests = this.#sending.get(target.id) ?? new Set();
    this.#sending.set(target.id, requests);
    for (const delivery of due) {
      const request: Promise<void> = this.#deliver(target, delivery)
        .catch((error: unknown) => void this.#tell(plainError(error).message))
        .finally(() => {
          requests.delete(request);
          if (requests.size === 0) this.#sending.delete(target.id);
          this.wake();
        });
      requests.add(request);
    }
    // A delivery beyond the room waits for a request to end.
    return nextAt !== undefined && nextAt > now ? nextAt : Infinity;
  }

  async #deliver(target: Target, delivery: DueDelivery): Promise<void> {
    const { webhooks, deliveries, now: clock, logger, count } = this.#options;
    const posted = await send(this.#options.poster, target, delivery);
    failpoint("webhook:after-send");
    const now = await clock();
    if (posted.reason === undefined) {
      await deliveries.delivered(delivery, posted, now);
      await webhooks.succeeded(target, now);
      if (target.failures >= limits.outageFailures) await deliveries.hasten(target.id, now);
      return count?.("delivered");
    }
    const failing = failingBy(target, posted);
    const isPostponed = await deliveries.later(delivery, posted, now, failing.isGone);
    if (target.failures === 0) logger.info(`webhook ${target.id} fails: ${posted.reason}`);
    if (await webhooks.failed(target, now, failing))
      logger.warn(`webhook ${target.id} is disabled: ${posted.reason}; \`webhook ${target.id} resume\` begins anew`);
    count?.(isPostponed ? "postponed" : "given_up");
  }

  #tell(trouble: string): number {
    if (trouble !== this.#trouble) this.#options.logger.warn(`webhooks wait: ${trouble}`);
    this.#trouble = trouble;
    return limits.pollMs;
  }
}

/** One request, signed with the time of now. The id is the event's, so that a receiver drops a twin. */
export function send(
  poster: Poster,
  { url, secrets }: Pick<Target, "url" | "secrets">,
  { event: id, body }: Pick<DueDelivery, "event" | "body">,
  withinMs: number = limits.sendMs,
): Promise<Posted> {
  const signed = { id, seconds: Math.floor(Date.now() / 1_000), body };
  const headers = { "content-type": "application/cloudevents+json", ...webhookHeaders(signed, secrets) };
  return poster.post({ url, headers, body, withinMs });
}

/** Statuses that speak of the whole receiver, and not of one event: too many requests, and those of a proxy without it. */
const AWAY: ReadonlySet<number> = new Set([429, 502, 503, 504]);

function failingBy({ failures }: Target, { status, reason = "", retryAfterMs = 0 }: Posted): Failing {
  if (status !== undefined && !AWAY.has(status)) return { reason, isGone: status === 410 };
  const backoff = backoffMs(failures + 1, { baseMs: limits.holdMs, capMs: limits.holdMsMax });
  return { reason, isGone: false, holdMs: Math.max(retryAfterMs, backoff) };
}
