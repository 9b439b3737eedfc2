export { mailEnvironment } from "./environment.ts";
export { letter, type MailText, type Part } from "./letter.ts";
export { MailDropped, MailHeld, type Letter, type MailLoop } from "./mail-loop.ts";
export { mailFolder, openMails, type MailsOptions, type OpenMails } from "./open-mails.ts";
export { mailHandings, mailTable, mailTraces, type DueMail, type MailOf, type Outbox } from "./outbox.ts";
