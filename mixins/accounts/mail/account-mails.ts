// The mails of accounts: the table of those to send, and the letters for its rows.
//
// The token of a mail is made when the mail is sent, so that it lies in no table. An attempt that is repeated sends
// another token; both work until one is used.
import { mailHandings, mailTable, mailTraces, type DueMail, type Letter } from "../../mail/index.ts";
import type { User, Users } from "../users.ts";
import type { MailedTokens, Purpose } from "./mailed-tokens.ts";
import { mailOf } from "./templates.ts";

export const accountMails = mailTable("010-mails", table => {
  table.string("user");
  table.string("email");
});
export const accountMailTraces = mailTraces("031-mail-traces");
export const accountMailHandings = mailHandings("032-mail-handings");

export type MailKind = "verify-email" | "reset-password" | "password-changed";

/** The mail is for a user, or for the owner of an address that somebody typed. */
export type AccountMail =
  | { readonly kind: MailKind; readonly user: string; readonly email?: undefined }
  | { readonly kind: "reset-password"; readonly email: string; readonly user?: undefined };

interface Needs {
  readonly users: Pick<Users, "byId" | "byEmail">;
  readonly tokens: Pick<MailedTokens, "issue">;
  /** Address of the API as people know it; links begin with it. */
  readonly publicUrl: string | undefined;
}

/** The pages that take the tokens. A token is behind `#`: browsers send that part to no server, so it is in no log. */
const PAGES: Readonly<Record<Purpose, string>> = {
  "verify-email": "/verify-email#token=",
  "reset-password": "/reset-password#token=",
};

/** Nothing for an address without an account, whose request was answered as any other. */
export async function letterOf(
  { kind, user: id, email }: DueMail<AccountMail>,
  { users, tokens, publicUrl }: Needs,
): Promise<Letter | undefined> {
  const user: User | undefined = await (id === undefined ? users.byEmail(email ?? "") : users.byId(id));
  if (!user || (kind === "verify-email" && user.person.emailVerified)) return undefined;
  const token = kind === "password-changed" ? "" : await tokens.issue(user.person.id, kind);
  const link = publicUrl !== undefined && kind !== "password-changed" ? publicUrl + PAGES[kind] + token : undefined;
  const site = publicUrl === undefined ? undefined : new URL(publicUrl).host;
  return { ...mailOf(kind, { site, token, link }), to: user.person.email };
}
