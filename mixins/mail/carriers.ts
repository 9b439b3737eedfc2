// The ways of a mail: to a mail server over SMTP, or into a file where none is configured.
import { chmod, mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
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

/** One way of a mail. It throws `MailRefused` when a repetition makes no sense, and another error when it does. */
export interface MailCarrier {
  /** Answers the file of the mail, where it became one. */
  send(mail: Mail): Promise<string | undefined>;
}

/** The server takes this mail neither now nor later: there is no such mailbox, or it does not like the text. */
export class MailRefused extends Error {
  override readonly name = "MailRefused";
}

/** `smtp://user:password@host:587` (STARTTLS where the server has it; `?requireTLS=true` insists), or `smtps://…`. */
export function smtpCarrier(url: string): MailCarrier {
  return {
    async send(mail) {
      // Loaded with the first mail: 30 ms that no other start has to pay.
      const { createTransport } = await import("nodemailer");
      const transport = createTransport({
        url,
        connectionTimeout: limits.sendMs / 2,
        greetingTimeout: limits.sendMs / 2,
        socketTimeout: limits.sendMs / 2,
        disableFileAccess: true,
        disableUrlAccess: true,
      } as object);
      try {
        await within(limits.sendMs, transport.sendMail(messageOf(mail)));
        return undefined;
      } catch (error) {
        throw isForGood(error as SmtpError) ? new MailRefused(reasonOf(error as SmtpError), { cause: error }) : error;
      } finally {
        transport.close();
      }
    },
  };
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

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`the mail server needed more than ${ms / 1_000} s`)), ms);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
