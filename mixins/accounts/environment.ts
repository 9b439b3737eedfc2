// The first administrator, as the environment names it.
import { defineEnvironment, EMAIL, matching, secret } from "../kernel/index.ts";

export const accountsEnvironment = defineEnvironment("Accounts", {
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
});
