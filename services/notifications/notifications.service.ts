// Mails to customers about their orders. An event becomes a row, at once and once; the row becomes a letter when it is
// sent, from what the orders and the accounts say by then. So a row holds nothing personal, and a customer who has
// changed their address gets the mail there.
import type { Service } from "moleculer";
import { defineService, typedCall, type Call } from "@valence/runtime/contract";
import type { Database } from "@valence/runtime/database";
import { Sql } from "@valence/runtime/database/mixin";
import { gatewayEnvironment } from "@valence/runtime/gateway";
import { idFrom, minutes, rfc3339 } from "@valence/runtime/kernel";
import { MailDropped, MailHeld, openMails, type DueMail, type Letter, type OpenMails } from "@valence/runtime/mail";
import { Reactors } from "@valence/runtime/stream/mixin";
import { contract, type Mailed } from "./contract.ts";
import { notificationsEnvironment } from "./environment.ts";
import { mails } from "./migrations/001-mails.ts";
import { firstStart } from "./migrations/002-first-start.ts";
import { traces } from "./migrations/003-mail-traces.ts";
import { handings } from "./migrations/004-mail-handings.ts";
import { orderLetter } from "./order-letters.ts";
import { OrderMails } from "./order-mails.reactor.ts";

const days = (n: number): number => n * minutes(24 * 60);

const limits = {
  /** Time after which a mail is given up: longer than a mail server is away over a weekend. */
  lifeMs: days(5),
  /**
   * Age of an event at which it has no mail any more: nobody waits for it. The rows are kept for longer, so that an event
   * that is read again, after a reset of the consumer, finds its row or is too old.
   */
  eventAgeMsMax: days(30),
  keptMs: days(37),
  /** Time before the first start from which on events have mails: the clocks of two databases may differ so much. */
  beforeFirstStartMs: minutes(10),
  /** Milliseconds that the answer of the orders, and that of the accounts, may take: a mail is one node's for half a minute. */
  askMs: 3_000,
} as const;

interface OrderMail {
  readonly kind: Mailed;
  readonly event: string;
  readonly order_id: string;
}
interface Parts extends OpenMails<OrderMail> {
  readonly database: Database;
  /** Milliseconds since the epoch from which on events have mails. */
  readonly since: number;
}

export default defineService(contract, {
  mixins: [Sql({ migrations: [mails, firstStart, traces, handings] }), Reactors(OrderMails)],

  actions: {
    async record(this: Parts, { params: { event, kind, orderId, at } }) {
      const now = await this.database.now();
      const eventAt = Date.parse(at);
      if (eventAt < this.since || eventAt < now - limits.eventAgeMsMax) return { recorded: false };
      await this.outbox.add({ id: idFrom("mail", kind, event), kind, event, order_id: orderId });
      this.mails.wake();
      return { recorded: true };
    },
  },

  async started(this: Service & Record<string, any>) {
    const { broker, fullName: service, logger } = this;
    const database: Database = this["database"];
    this["since"] = await firstStartOf(database, logger);
    const compose = letters(broker);
    const { lifeMs, keptMs } = limits;
    Object.assign(this, openMails<OrderMail>({ broker, service, database, logger, lifeMs, keptMs, compose }));
  },
  async stopped(this: Partial<Parts>) {
    await this.mails?.stop();
  },
});

/** A shop that has been running without this service does not mail its past. */
async function firstStartOf(database: Database, logger: { info(line: string): void }): Promise<number> {
  const rows = () => database.knex("first_start");
  const since = (await database.now()) - limits.beforeFirstStartMs;
  const [first] = await rows();
  if (first) return Number(first.since);
  await rows().insert({ id: 1, since }).onConflict("id").ignore();
  logger.info(`first start: orders have mails from ${rfc3339(since)} on`);
  return Number((await rows())[0].since);
}

/** Writes the letter of a row. The calls are this service's own: without a person, accounts show any account. */
function letters(broker: Service["broker"]): (mail: DueMail<OrderMail>) => Promise<Letter> {
  const call = typedCall(broker);
  const { MAIL_UNVERIFIED } = notificationsEnvironment.of(broker);
  const { PUBLIC_URL } = gatewayEnvironment.of(broker);
  const site = PUBLIC_URL === undefined ? undefined : new URL(PUBLIC_URL).host;
  return async ({ kind, order_id: orderId }) => {
    const { state: order } = await call("orders.get", { id: orderId, consistent: true }, { timeoutMs: limits.askMs });
    if (order.customer === undefined) throw new MailDropped("there is no such order any more");
    const { email, emailVerified, name } = await customerOf(order.customer, call);
    // Accounts of an external issuer that names no address have one that reaches nobody (RFC 2606).
    if (email.endsWith(".invalid")) throw new MailDropped("the customer has no address");
    if (!emailVerified && !MAIL_UNVERIFIED) throw new MailHeld("the customer has not verified their address");
    return { ...orderLetter(kind, { orderId, order, site, name: emailVerified ? name : undefined }), to: email };
  };
}

async function customerOf(id: string, call: Call) {
  try {
    return await call("accounts.get", { id }, { timeoutMs: limits.askMs });
  } catch (error) {
    if ((error as { type?: string }).type === "USER_NOT_FOUND") throw new MailDropped("the customer's account is gone");
    throw error;
  }
}
