// The texts of the mails, plain and as HTML. They name neither the person nor the address: anybody can register with the
// address of somebody else and a name that advertises, and our server would deliver it.
import type { MailKind } from "./outbox.ts";

export interface MailText {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}
/** Values of a text. */
export interface Told {
  /** The address of the API as people know it: `library.example.com`. */
  readonly site: string | undefined;
  readonly token: string;
  /** A page that takes the token; undefined where no address is configured. */
  readonly link: string | undefined;
}

export function mailOf(kind: MailKind, { site, token, link }: Told): MailText {
  const account = site === undefined ? "your account" : `your account at ${site}`;
  switch (kind) {
    case "verify-email":
      return letter("Verify your e-mail address", [
        `Somebody has opened an account${site === undefined ? "" : ` at ${site}`} with this e-mail address. If it was you, please verify the address within 24 hours.`,
        ...ask({ token, link }, "Verify the address"),
        "If it was not you, do nothing. Without the verification nobody can show that this mailbox is theirs.",
      ]);
    case "reset-password":
      return letter("Set a new password", [
        `Somebody has asked for a new password for ${account}. If it was you, set it within 30 minutes.`,
        ...ask({ token, link }, "Set a new password"),
        "If it was not you, do nothing: your password stays as it is.",
      ]);
    case "password-changed":
      return letter("Your password was changed", [
        `The password of ${account} was changed, and every other session was ended.`,
        "If it was not you, ask for a new password at once, and tell the people who run the service.",
      ]);
  }
}

type Part = string | { readonly link: string; readonly label: string } | { readonly token: string };

const ask = ({ token, link }: Pick<Told, "token" | "link">, label: string): Part[] => [
  ...(link === undefined ? [] : [{ link, label }]),
  "The token, for programs:",
  { token },
];

/** Lines of plain text, and the same as HTML without pictures and scripts: every program of mail shows it. */
function letter(subject: string, parts: readonly Part[]): MailText {
  const plain = (part: Part): string => {
    if (typeof part === "string") return wrapped(part);
    return "link" in part ? `${part.label}:\n${part.link}` : part.token;
  };
  const html = (part: Part): string => {
    if (typeof part === "string") return `<p>${escapeHtml(part)}</p>`;
    if ("link" in part) return `<p><a href="${escapeHtml(part.link)}">${escapeHtml(part.label)}</a></p>`;
    return `<p><code>${escapeHtml(part.token)}</code></p>`;
  };
  return {
    subject,
    text: `${["Hello,", ...parts.map(plain)].join("\n\n")}\n`,
    html: `<!doctype html>\n<html lang="en">\n<body>\n${["Hello,", ...parts].map(html).join("\n")}\n</body>\n</html>\n`,
  };
}

/** Lines of at most 72 characters, as plain mails have them: longer ones would be encoded, and hard to read in a file. */
const wrapped = (text: string): string => text.replaceAll(/(?=\S)(.{1,72})(?:\s+|$)/g, "$1\n").trimEnd();

export const escapeHtml = (text: string): string =>
  text.replaceAll(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`);
