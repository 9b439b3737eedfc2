// Whose mailboxes get mails about orders.
import { defineEnvironment, flag } from "@valence/runtime/kernel";

export const notificationsEnvironment = defineEnvironment("Mails about orders", {
  MAIL_UNVERIFIED: flag({
    default: false,
    says: "whether customers get mails about their orders before they have verified their address; these name neither the person nor what they wrote",
  }),
});
