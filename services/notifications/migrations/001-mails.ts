import { mailTable } from "@valence/runtime/mail";

export const mails = mailTable("001-mails", table => {
  // Identity of the event, and its order: all that a row has.
  table.string("event").notNullable();
  table.string("order_id").notNullable().index();
});
