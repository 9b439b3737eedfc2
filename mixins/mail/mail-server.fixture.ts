// A real mail server on loopback, which keeps what it gets.
import { once } from "node:events";
import type { AddressInfo, Socket } from "node:net";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";

/** A mail as the server got it, with `\n` at the ends of lines. */
export interface Got {
  readonly to: string[];
  readonly text: string;
}

export interface MailServer {
  readonly got: Got[];
  readonly port: number;
  /** Variables of a process that sends its mails here. */
  readonly env: { readonly SMTP_URL: string; readonly MAIL_FROM: string };
  readonly stop: () => Promise<void>;
}

export const FROM = "Library <desk@library.example>";

/**
 * `options` may refuse a mail, by an error with a `responseCode` (`refusal`). `taken` is called with the number of mails
 * before the server says yes to one, `onText` before that with the client's connection. `port`: where an earlier one was; default: any that is free.
 */
export async function mailServer(
  {
    taken,
    onText,
    ...options
  }: SMTPServerOptions & {
    readonly taken?: (count: number) => void;
    readonly onText?: (socket: Socket) => Promise<void>;
  } = {},
  port = 0,
): Promise<MailServer> {
  const got: Got[] = [];
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ["STARTTLS"],
    logger: false,
    onData(stream, session, done) {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("end", () => {
        const text = Buffer.concat(chunks).toString().replaceAll("\r", "");
        got.push({ to: session.envelope.rcptTo.map(({ address }) => address), text });
        taken?.(got.length);
        const connection = [...server.connections].find(({ session: { id } }) => id === session.id);
        void (onText?.(connection!._socket) ?? Promise.resolve()).then(() => done());
      });
    },
    ...options,
  });
  server.listen(port, "127.0.0.1");
  await once(server.server, "listening");
  const { port: own } = server.server.address() as AddressInfo;
  return {
    got,
    port: own,
    env: { SMTP_URL: `smtp://127.0.0.1:${own}`, MAIL_FROM: FROM },
    stop: () => new Promise<void>(resolve => server.close(() => resolve())),
  };
}

export const refusal = (responseCode: number, text: string): Error => Object.assign(new Error(text), { responseCode });

/** A header of a mail, its lines put together. */
export const header = (mail: string, name: string): string | undefined =>
  new RegExp(`^${name}: (.*)$`, "m").exec(mail.replaceAll(/\n[ \t]+/g, " "))?.[1];
