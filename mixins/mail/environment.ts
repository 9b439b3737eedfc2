// The way of mails: a server, or files.
import { checked, defineEnvironment, EMAIL, EnvironmentError, serverUrl } from "../kernel/index.ts";

const SMTP = "`smtp://user:password@host:port`, or `smtps://…` for TLS from the first byte";

const smtpProblem = (text: string): string | undefined =>
  URL.canParse(text) && /^smtps?:$/.test(new URL(text).protocol) && new URL(text).hostname !== ""
    ? undefined
    : "a URL smtp://host:port or smtps://host:port";

/** The address in `Library <desk@example.com>`, or the text itself. */
const addressIn = (from: string): string => /<([^<>]*)>$/.exec(from)?.[1] ?? from;

const isSender = (text: string): boolean =>
  EMAIL.test(addressIn(text)) && /^(?:[^<>"\p{C}]{1,100} <[^<>]+>|[^<>]+)$/u.test(text);

/** The sender of mails that only become files. */
const NOBODY = "no-reply@localhost.localdomain";
const SENDER = "an e-mail address, or `Name <address>`";

export const mailEnvironment = defineEnvironment(
  "Mails",
  {
    SMTP_URL: serverUrl({
      form: SMTP,
      problem: smtpProblem,
      defaultSays: "each mail is a file in `<DATA_DIR>/mail`",
      says: "the server that takes mails",
    }),
    MAIL_FROM: checked({
      form: SENDER,
      problem: text => (isSender(text) ? undefined : SENDER.replaceAll("`", "")),
      default: NOBODY,
      says: "sender of the mails",
    }),
  },
  ({ SMTP_URL, MAIL_FROM }) => {
    // Servers refuse, or hide as junk, mails from an address whose domain they cannot find.
    if (SMTP_URL !== undefined && MAIL_FROM === NOBODY)
      throw new EnvironmentError("MAIL_FROM", MAIL_FROM, "a sender of your own, since SMTP_URL is set");
  },
);
