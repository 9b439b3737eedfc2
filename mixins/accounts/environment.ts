// The first administrator, the rotation of the signing keys, and the part of an external issuer.
import { gatewayEnvironment } from "../gateway/index.ts";
import {
  checked,
  defineEnvironment,
  EMAIL,
  EnvironmentError,
  integer,
  matching,
  secret,
  text,
} from "../kernel/index.ts";
import { readRoleRules } from "./oidc/role-rules.ts";

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
  },
  ({ OIDC_AUDIENCE, OIDC_ROLES }, environment) => {
    const { OIDC_ISSUER } = gatewayEnvironment.of(environment);
    // Without an audience any token of the issuer, made for any other API, would open this one.
    if (OIDC_ISSUER !== undefined && OIDC_AUDIENCE === undefined)
      throw new EnvironmentError("OIDC_AUDIENCE", "", "a value, since OIDC_ISSUER is set");
    const alone = OIDC_ISSUER === undefined && Object.entries({ OIDC_AUDIENCE, OIDC_ROLES }).find(([, value]) => value);
    if (alone) throw new EnvironmentError(alone[0], alone[1]!, "OIDC_ISSUER beside it");
  },
);
