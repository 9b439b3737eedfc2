// The texts of the mails, plain and as HTML. They name neither the person nor the address: anybody can register with the
// address of somebody else and a name that advertises, and our server would deliver it.
import { letter, type MailText, type Part } from "../../mail/index.ts";
import type { MailKind } from "./account-mails.ts";

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

const ask = ({ token, link }: Pick<Told, "token" | "link">, label: string): Part[] => [
  ...(link === undefined ? [] : [{ link, label }]),
  "The token, for programs:",
  { token },
];
