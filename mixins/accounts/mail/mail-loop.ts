// Sends the mails of the outbox, in the background of the accounts service. The request that asks for a mail does not
// wait for a mail server, which may take seconds, or be away for hours.
//
// The token of a mail is made when the mail is sent, so that it lies in no table. An attempt that is repeated sends
// another token under the same Message-ID; both work until one is used.
import { Pause, rfc3339 } from "../../kernel/index.ts";
import { limits } from "../limits.ts";
import type { User, Users } from "../users.ts";
import { MailRefused, reasonOf, type MailCarrier, type SmtpError } from "./carriers.ts";
import type { MailedTokens, Purpose } from "./mailed-tokens.ts";
import type { DueMail, Outbox } from "./outbox.ts";
import { mailOf } from "./templates.ts";

export interface MailLoopOptions {
  readonly outbox: Outbox;
  readonly users: Pick<Users, "byId" | "byEmail">;
  readonly tokens: Pick<MailedTokens, "issue">;
  readonly carrier: MailCarrier;
  readonly from: string;
  /** Address of the API as people know it; links begin with it. */
  readonly publicUrl: string | undefined;
  /** Called with lines for the log. They have neither addresses nor tokens. */
  readonly say: (line: string) => void;
}

/** The pages that take the tokens. A token is behind `#`: browsers send that part to no server, so it is in no log. */
const PAGES: Readonly<Record<Purpose, string>> = {
  "verify-email": "/verify-email#token=",
  "reset-password": "/reset-password#token=",
};
const FORGET_EVERY_MS = 3_600_000;

export class MailLoop {
  readonly #options: MailLoopOptions;
  readonly #pause = new Pause();
  #isWoken = false;
  #isStopped = false;
  #running: Promise<void> | undefined;
  #forgottenAt = -Infinity;
  /** The last trouble of each that was told: an outage is one line, not one a minute. */
  readonly #told = { database: "", server: "" };

  constructor(options: MailLoopOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running ??= this.#run();
  }
  /** Looks for mails now: this node has just written one. */
  wake(): void {
    this.#isWoken = true;
    this.#pause.end();
  }
  /** Mails on their way get a few seconds; another node, or the next start, sends the rest. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#pause.end();
    const patience = new Pause();
    await Promise.race([this.#running, patience.wait(limits.mailStopMs)]);
    patience.end();
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      this.#isWoken = false;
      const waitMs = await this.#turn().catch((error: Error) => {
        this.#tell("database", error.message);
        return limits.mailPollMs;
      });
      if (!this.#isWoken && !this.#isStopped) await this.#pause.wait(waitMs);
    }
  }

  /** Sends what is due; answers the milliseconds until the next turn. */
  async #turn(): Promise<number> {
    const { outbox } = this.#options;
    if (performance.now() - this.#forgottenAt > FORGET_EVERY_MS) {
      await outbox.forgetOld();
      this.#forgottenAt = performance.now();
    }
    const mails = await outbox.claim(limits.mailsAtOnce);
    const deliveries = await Promise.allSettled(mails.map(mail => this.#deliver(mail)));
    for (const delivery of deliveries) if (delivery.status === "rejected") throw delivery.reason;
    this.#told.database = "";
    return Math.min((await outbox.nextInMs()) ?? Infinity, limits.mailPollMs);
  }

  async #deliver(mail: DueMail): Promise<void> {
    const { outbox } = this.#options;
    try {
      await this.#send(mail);
    } catch (error) {
      const reason = reasonOf(error as Error);
      if (error instanceof MailRefused) {
        await outbox.failed(mail.id, reason);
        this.#options.say(`mail ${mail.id} (${mail.kind}) is refused for good; the row in \`mails\` has the reason`);
      } else if (await outbox.later(mail, reason)) this.#tell("server", codeOf(error));
      else this.#options.say(`mail ${mail.id} (${mail.kind}) is given up after a day: ${codeOf(error)}`);
      return;
    }
    await outbox.sent(mail.id);
    this.#told.server = "";
  }

  /** Does nothing for an address without an account, whose request was answered as any other. */
  async #send({ id, kind, createdAt, ...mail }: DueMail): Promise<void> {
    const { tokens, carrier, from, publicUrl } = this.#options;
    const user = await this.#ownerOf(mail);
    if (!user || (kind === "verify-email" && user.person.emailVerified)) return;
    const token = kind === "password-changed" ? "" : await tokens.issue(user.person.id, kind);
    const link = publicUrl !== undefined && kind !== "password-changed" ? publicUrl + PAGES[kind] + token : undefined;
    const site = publicUrl === undefined ? undefined : new URL(publicUrl).host;
    const text = mailOf(kind, { site, token, link });
    await carrier.send({ ...text, id, from, to: user.person.email, date: new Date(rfc3339(createdAt)) });
  }

  #ownerOf({ user, email }: Pick<DueMail, "user" | "email">): Promise<User | undefined> {
    const { users } = this.#options;
    return user === undefined ? users.byEmail(email ?? "") : users.byId(user);
  }

  #tell(where: "database" | "server", trouble: string): void {
    if (trouble !== this.#told[where]) this.#options.say(`mails wait: ${trouble}`);
    this.#told[where] = trouble;
  }
}

/** For the log: the words of a mail server repeat the address. */
const codeOf = (error: unknown): string => {
  const { message, command, code, responseCode } = error as SmtpError;
  return command === undefined ? message : `the mail server, ${[code, responseCode].filter(Boolean).join(" ")}`;
};
