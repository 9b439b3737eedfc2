// The first administrator, the rotation of the signing keys, the way of mails, and the part of an external issuer.
import { gatewayEnvironment } from "../gateway/index.ts";
import {
  checked,
  defineEnvironment,
  EMAIL,
  EnvironmentError,
  integer,
  matching,
  secret,
  serverUrl,
  text,
} from "../kernel/index.ts";
import { readRoleRules } from "./oidc/role-rules.ts";

const SMTP = "`smtp://user:password@host:port`, or `smtps://…` for TLS from the first byte";

const smtpProblem = (text: string): string | undefined =>
  URL.canParse(text) && /^smtps?:$/.test(new URL(text).protocol) && new URL(text).hostname !== ""
    ? undefined
    : "a URL smtp://host:port or smtps://host:port";

/** The address in `Library <desk@example.com>`, or the text itself. */
export const addressIn = (from: string): string => /<([^<>]*)>$/.exec(from)?.[1] ?? from;

const isSender = (text: string): boolean =>
  EMAIL.test(addressIn(text)) && /^(?:[^<>"\p{C}]{1,100} <[^<>]+>|[^<>]+)$/u.test(text);

/** The sender of mails that only become files. */
const NOBODY = "no-reply@localhost.localdomain";
const SENDER = "an e-mail address, or `Name <address>`";

const ROLE_RULES = "`<claim>=<value>:<role>`, with commas between: `groups=staff:clerk,realm_access.roles=boss:admin`";

export const accountsEnvironment = defineEnvironment(
  "Accounts",
  {
    ADMIN_EMAIL: matching({
      pattern: EMAIL,
      expected: "an e-mail address",
      default: "admin@example.com",
      says: "the administrator of a first start",
    }),
    // Counted by code points, as the contract does.
    ADMIN_PASSWORD: secret({
      pattern: /^.{8,128}$/su,
      expected: "8 to 128 characters",
      isVerbatim: true,
      defaultSays: "made up and printed once",
      says: "the administrator's password; blanks at its ends are part of it",
    }),
    OIDC_AUDIENCE: text({ says: "the audience that tokens of `OIDC_ISSUER` must have: the name of this API there" }),
    OIDC_ROLES: checked({
      form: ROLE_RULES,
      problem: text => (readRoleRules(text) ? undefined : ROLE_RULES.replaceAll("`", "")),
      says: "roles that claims of `OIDC_ISSUER`'s tokens give, besides those that an account has here",
    }),
    KEY_ROTATION_DAYS: integer({
      min: 0,
      max: 3_650,
      default: 90,
      says: "days after which another key signs access tokens; 0: only when an administrator asks for it",
    }),
    SMTP_URL: serverUrl({
      form: SMTP,
      problem: smtpProblem,
      defaultSays: "each mail is a file in `<DATA_DIR>/mail`",
      says: "the server that takes mails: to verify an address, and to reset a password",
    }),
    MAIL_FROM: checked({
      form: SENDER,
      problem: text => (isSender(text) ? undefined : SENDER.replaceAll("`", "")),
      default: NOBODY,
      says: "sender of the mails",
    }),
  },
  ({ SMTP_URL, MAIL_FROM, OIDC_AUDIENCE, OIDC_ROLES }, environment) => {
    // Servers refuse, or hide as junk, mails from an address whose domain they cannot find.
    if (SMTP_URL !== undefined && MAIL_FROM === NOBODY)
      throw new EnvironmentError("MAIL_FROM", MAIL_FROM, "a sender of your own, since SMTP_URL is set");
    const { OIDC_ISSUER } = gatewayEnvironment.of(environment);
    // Without an audience any token of the issuer, made for any other API, would open this one.
    if (OIDC_ISSUER !== undefined && OIDC_AUDIENCE === undefined)
      throw new EnvironmentError("OIDC_AUDIENCE", "", "a value, since OIDC_ISSUER is set");
    const alone = OIDC_ISSUER === undefined && Object.entries({ OIDC_AUDIENCE, OIDC_ROLES }).find(([, value]) => value);
    if (alone) throw new EnvironmentError(alone[0], alone[1]!, "OIDC_ISSUER beside it");
  },
);
