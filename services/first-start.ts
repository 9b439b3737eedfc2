// Shared by the services of the shop: whether a first start fills the shop, as the environment says.
import { defineEnvironment, flag } from "@valence/runtime/kernel";

export const seedEnvironment = defineEnvironment("The first start", {
  SEED: flag({
    default: true,
    says: "whether a first start makes an administrator, a catalog and stock; `off` leaves the shop empty, but for the administrator where `ADMIN_PASSWORD` is set",
  }),
});
