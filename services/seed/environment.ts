// Settings of the first start, which fills the shop.
import { defineEnvironment, EMAIL, flag, matching, secret } from "@valence/runtime/kernel";

export const seedEnvironment = defineEnvironment("The first start", {
  SEED: flag({
    default: true,
    says: "whether a first start makes an administrator, a catalog and stock; `off` leaves the shop empty",
  }),
  ADMIN_EMAIL: matching({
    pattern: EMAIL,
    expected: "an e-mail address",
    default: "admin@example.com",
    says: "the administrator of a first start",
  }),
  // Counted as the contract counts, by code points.
  ADMIN_PASSWORD: secret({
    pattern: /^.{8,128}$/su,
    expected: "8 to 128 characters",
    isVerbatim: true,
    defaultSays: "made up and printed once",
    says: "the administrator's password; blanks at its ends are part of it",
  }),
});
