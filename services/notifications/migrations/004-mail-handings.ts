import { mailHandings } from "@valence/runtime/mail";

export const handings = mailHandings("004-mail-handings");
