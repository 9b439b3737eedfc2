// The ways of a mail: to a mail server over SMTP, or into a file where none is configured.
import { chmod, mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import type { SendMailOptions } from "nodemailer";
import { limits } from "./limits.ts";
import type { MailText } from "./letter.ts";

export interface Mail extends MailText {
  /** The row's: a UUID. The Message-ID follows from it. */
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly date: Date;
}

/**
 * One way of a mail. It throws `MailRefused` when a repetition makes no sense, `MailUnanswered` when the mail may have been
 * taken, and another error when it was not.
 */
export interface MailCarrier {
  /**
   * Answers the file of the mail, where it became one. `onHanding` is awaited before the text goes to a server: from then on
   * it may have it. If it rejects, nothing is sent.
   */
  send(mail: Mail, onHanding: () => Promise<void>): Promise<string | undefined>;
}

/** The server has the text, and has not said whether it takes it. */
export class MailUnanswered extends Error {
  override readonly name = "MailUnanswered";
}

/** The server takes this mail neither now nor later: there is no such mailbox, or it does not like the text. */
export class MailRefused extends Error {
  override readonly name = "MailRefused";
}

/** Milliseconds until the server asks for the text, and until it has accepted it. */
export type SmtpTimes = Record<"sendMs" | "acceptMs", number>;

/** `smtp://user:password@host:587` (STARTTLS where the server has it; `?requireTLS=true` insists), or `smtps://…`. */
export function smtpCarrier(url: string, { sendMs, acceptMs }: SmtpTimes = limits): MailCarrier {
  return {
    async send(mail, onHanding) {
      // Loaded with the first mail: 30 ms that no other start has to pay.
      const { createTransport } = await import("nodemailer");
      const transport = createTransport({
        url,
        connectionTimeout: sendMs / 2,
        greetingTimeout: sendMs / 2,
        socketTimeout: acceptMs,
        disableFileAccess: true,
        disableUrlAccess: true,
      } as object);
      const patience = new Patience(sendMs);
      let isHanded = false;
      transport.use("stream", ({ message }, done) => {
        beforePiping(message, async () => {
          try {
            await onHanding();
            isHanded = true;
            patience.prolong(acceptMs);
          } catch (error) {
            patience.end(error);
            throw error;
          }
        });
        done();
      });
      try {
        await transport.sendMail({ ...messageOf(mail), signal: patience.signal });
        return undefined;
      } catch (error) {
        const { responseCode } = error as SmtpError;
        if (isForGood(error as SmtpError)) throw new MailRefused(reasonOf(error as SmtpError), { cause: error });
        if (isHanded && responseCode === undefined)
          throw new MailUnanswered("the mail server has the text and has not accepted it", { cause: error });
        throw patience.signal.aborted ? patience.signal.reason : error;
      } finally {
        patience.end();
        transport.close();
      }
    },
  };
}

/** The library pipes a message into the connection when the server has asked for its text, and never before. */
function beforePiping(message: { createReadStream(): Readable }, first: () => Promise<void>): void {
  const createReadStream = message.createReadStream.bind(message);
  message.createReadStream = () => {
    const text = createReadStream();
    const pipe = text.pipe.bind(text);
    text.pipe = target => {
      // When it rejects, the connection is ended.
      void first().then(
        () => pipe(target),
        () => {},
      );
      return target;
    };
    return text;
  };
}

/** Ends a send that takes too long. */
class Patience {
  readonly #ending = new AbortController();
  #timer: NodeJS.Timeout;
  constructor(ms: number) {
    this.#timer = this.#wait(ms);
  }
  get signal(): AbortSignal {
    return this.#ending.signal;
  }
  prolong(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = this.#wait(ms);
  }
  end(reason?: unknown): void {
    clearTimeout(this.#timer);
    if (reason !== undefined) this.#ending.abort(reason);
  }
  #wait(ms: number): NodeJS.Timeout {
    return setTimeout(() => this.end(new Error(`the mail server needed more than ${ms / 1_000} s`)), ms);
  }
}

/** One file a mail, `<time>-<id>.eml`, for the user of the process alone: there may be a token in it. */
export function fileCarrier(folder: string): MailCarrier {
  return {
    async send(mail) {
      const { createTransport } = await import("nodemailer");
      const transport = createTransport({ streamTransport: true, buffer: true, newline: "unix" });
      const { message } = await transport.sendMail(messageOf(mail));
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await chmod(folder, 0o700);
      const file = join(folder, `${mail.date.toISOString().replaceAll(":", "-")}-${mail.id}.eml`);
      // Renamed when it is complete: a reader never finds half a mail.
      await writeFile(`${file}.part`, message as Buffer, { mode: 0o600 });
      await rename(`${file}.part`, file);
      // Names begin with the time of the row; those of earlier releases with an id, and sort before.
      const files = (await readdir(folder)).filter(name => name.endsWith(".eml")).sort();
      for (const old of files.slice(0, -limits.filesMax)) await rm(join(folder, old), { force: true });
      return file;
    },
  };
}

/** The domain of Message-IDs is the sender's: it is unique together with the row's id. */
const messageOf = ({ id, from, to, date, subject, text, html }: Mail): SendMailOptions => ({
  from,
  // As an object: the library would read a text with a comma in it as two addresses.
  to: { name: "", address: to },
  subject,
  text,
  html,
  date,
  messageId: `<${id}@${/@([\w.-]+)>?$/.exec(from)?.[1] ?? "localhost"}>`,
  // RFC 3834: absence notices do not answer it.
  headers: { "Auto-Submitted": "auto-generated" },
});

/** An error of the mail library; `command` is absent in every other error. */
export interface SmtpError extends Error {
  readonly code?: string;
  /** The step of the protocol, `RCPT TO`; `API` before any. */
  readonly command?: string;
  readonly responseCode?: number;
  readonly response?: string;
}

/**
 * 5xx to the recipient or to the text (RFC 5321, 4.2.1), or an address that no server could read. A refused log-in or sender
 * says nothing about the mail: the operator corrects the configuration, and the mail goes out.
 */
const isForGood = ({ code, command, responseCode = 0 }: SmtpError): boolean =>
  (command === "API" && code === "EENVELOPE") || (/^(RCPT TO|DATA)$/.test(command ?? "") && responseCode >= 500);

/** The words of the server, or the error's own. Servers repeat the address, which is nobody's business here. */
export const reasonOf = ({ response, message, code }: SmtpError): string =>
  (response ?? `${code ?? ""} ${message}`.trim()).replaceAll(/[^\s<>"'@]+@[^\s<>"']+/g, "…");
