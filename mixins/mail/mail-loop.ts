// Sends the mails of an outbox, in the background of its service. The request or event that asks for a mail does not
// wait for a mail server, which may take seconds, or be away for hours.
//
// The letter is written when it is sent, so that neither its text, nor an address, nor a token lies in a table. An attempt
// that is repeated sends it under the same Message-ID.
import { rfc3339, settledWithin, WakeableLoop } from "../kernel/index.ts";
import { ATTRIBUTES, SPANS, tracing, type Span } from "../tracing/index.ts";
import { MailRefused, MailUnanswered, reasonOf, type MailCarrier, type SmtpError } from "./carriers.ts";
import type { MailText } from "./letter.ts";
import { limits } from "./limits.ts";
import type { DueMail, MailOf, Outbox } from "./outbox.ts";

export interface Letter extends MailText {
  readonly to: string;
}

/**
 * Writes the letter of a row, or answers undefined: then nothing is sent, and the row counts as sent. Throws `MailDropped`
 * or `MailHeld`; after any other error it is asked again later.
 */
export type Compose<Own extends MailOf> = (mail: DueMail<Own>) => Promise<Letter | undefined>;

/** The mail will not be sent; the row keeps the reason. */
export class MailDropped extends Error {
  override readonly name = "MailDropped";
}

/** The mail cannot be sent yet, and a person decides how long: it is looked at after a minute, at last every hour. */
export class MailHeld extends Error {
  override readonly name = "MailHeld";
}

export interface MailLoopOptions<Own extends MailOf> {
  readonly outbox: Outbox<Own>;
  readonly compose: Compose<Own>;
  readonly carrier: MailCarrier;
  readonly from: string;
  /** Gets lines that have neither addresses nor tokens. */
  readonly logger: { info(line: string): void; warn(line: string): void };
  /** Told what has become of each attempt, for counting. */
  readonly count?: ((outcome: MailOutcome) => void) | undefined;
}

export type MailOutcome = "sent" | "postponed" | "given_up";

const UNANSWERED = "a mail server has had it twice, and nobody knows whether it took it";
const FORGET_EVERY_MS = 3_600_000;

export class MailLoop<Own extends MailOf = MailOf> {
  readonly #options: MailLoopOptions<Own>;
  readonly #loop = new WakeableLoop(() => this.#turnOrTell());
  readonly #tracing = tracing();
  #forgottenAt = -Infinity;
  /** The last trouble of each that was told: an outage is one line, not one a minute. */
  readonly #told = { database: "", server: "" };

  constructor(options: MailLoopOptions<Own>) {
    this.#options = options;
  }

  start(): void {
    this.#loop.start();
  }
  /** Looks for mails now: this node has just written one. */
  wake(): void {
    this.#loop.wake();
  }
  /** Mails on their way get a few seconds; another node, or the next start, sends the rest. */
  stop(): Promise<void> {
    return settledWithin([this.#loop.stop()], limits.stopMs);
  }

  async #turnOrTell(): Promise<number> {
    try {
      return await this.turn();
    } catch (error) {
      this.#tell("database", (error as Error).message);
      return limits.pollMs;
    }
  }

  /** Sends the mails that are due; answers the milliseconds until the next turn. A started loop takes its turns itself. */
  async turn(): Promise<number> {
    const { outbox } = this.#options;
    if (performance.now() - this.#forgottenAt > FORGET_EVERY_MS) {
      await outbox.forgetOld();
      this.#forgottenAt = performance.now();
    }
    const mails = await outbox.claim(limits.atOnce);
    const deliveries = await Promise.allSettled(mails.map(mail => this.#deliver(mail)));
    for (const delivery of deliveries) if (delivery.status === "rejected") throw delivery.reason;
    this.#told.database = "";
    return Math.min((await outbox.nextInMs()) ?? Infinity, limits.pollMs);
  }

  async #deliver(mail: DueMail<Own>): Promise<void> {
    const { outbox } = this.#options;
    const outcome = await this.#inItsTrace(mail, span => this.#attempt(mail, span));
    if (outcome === "sent") {
      await outbox.sent(mail.id);
      this.#told.server = "";
    }
    this.#options.count?.(outcome);
  }

  /** In the trace of the work that asked for the mail, however long ago; the lines of the log are in it, too. */
  #inItsTrace(
    { id, kind, cause }: DueMail<Own>,
    work: (span: Span | undefined) => Promise<MailOutcome>,
  ): Promise<MailOutcome> {
    if (!this.#tracing || cause === undefined) return work(undefined);
    const attributes = { [ATTRIBUTES.messageId]: id, [ATTRIBUTES.operationType]: "send", [ATTRIBUTES.mail]: kind };
    return this.#tracing.within({ name: SPANS.mail, kind: "client", parent: cause, attributes }, work);
  }

  async #attempt(mail: DueMail<Own>, span: Span | undefined): Promise<MailOutcome> {
    try {
      await this.#send(mail);
      return "sent";
    } catch (error) {
      try {
        return (await this.#notSent(mail, error as Error)) ? "postponed" : "given_up";
      } finally {
        if (span) endUnsent(span, error as Error);
      }
    }
  }

  async #send(mail: DueMail<Own>): Promise<void> {
    const { compose, carrier, from, logger, outbox } = this.#options;
    const { id, kind, createdAt, handed } = mail;
    // A node has died, or a server has said nothing, as often as that may be.
    if (handed >= limits.handedMax) throw new MailUnanswered(UNANSWERED);
    const text = await compose(mail);
    if (!text) return;
    const letter = { ...text, id, from, date: new Date(rfc3339(createdAt)) };
    let keeping: NodeJS.Timeout | undefined;
    const onHanding = async (): Promise<void> => {
      await outbox.handing(mail);
      // Should it fail, another node may take the mail: that is the second time, and the last.
      keeping = setInterval(() => void outbox.keep(id).catch(() => {}), limits.leaseMs / 3);
    };
    const file = await carrier.send(letter, onHanding).finally(() => clearInterval(keeping));
    if (file !== undefined) logger.info(`mail ${id} (${kind}) is the file ${file}`);
  }

  /** Notes why. Answers whether it will be tried again. */
  async #notSent(mail: DueMail<Own>, error: Error): Promise<boolean> {
    const { outbox, logger } = this.#options;
    const name = `mail ${mail.id} (${mail.kind})`;
    const reason = reasonOf(error);
    if (error instanceof MailDropped) {
      await outbox.failed(mail.id, reason);
      logger.info(`${name} is not sent: ${reason}`);
      return false;
    }
    if (error instanceof MailRefused) {
      await outbox.failed(mail.id, reason);
      logger.warn(`${name} is refused for good; the row in \`mails\` has the reason`);
      return false;
    }
    if (error instanceof MailHeld) {
      const isWaiting = await outbox.later(mail, reason, { isHeld: true });
      if (mail.attempts === 1 || !isWaiting) logger.info(`${name} ${isWaiting ? "waits" : "is given up"}: ${reason}`);
      return isWaiting;
    }
    if (error instanceof MailUnanswered) {
      const isWaiting = await outbox.later(mail, reason, { isHeld: true, handed: mail.handed + 1 });
      logger.warn(`${name} may have been sent: ${reason}; ${isWaiting ? "once more in a while" : "not again"}`);
      return isWaiting;
    }
    const isWaiting = await outbox.later(mail, reason);
    if (isWaiting) this.#tell("server", codeOf(error));
    else logger.warn(`${name} is given up, it is too old: ${codeOf(error)}`);
    return isWaiting;
  }

  #tell(where: "database" | "server", trouble: string): void {
    if (trouble !== this.#told[where]) this.#options.logger.warn(`mails wait: ${trouble}`);
    this.#told[where] = trouble;
  }
}

/** A mail that waits for a person, or that nobody wants any more, is no failure, for which its trace would be kept. */
function endUnsent(span: Span, error: Error): void {
  const { name } = error;
  if (!(error instanceof MailHeld || error instanceof MailDropped))
    return span.end({ type: name, message: reasonOf(error) });
  span.set({ [ATTRIBUTES.errorType]: name });
  span.end();
}

/** For the log: the words of a mail server repeat the address. */
const codeOf = (error: unknown): string => {
  const { message, command, code, responseCode } = error as SmtpError;
  return command === undefined ? message : `the mail server, ${[code, responseCode].filter(Boolean).join(" ")}`;
};
