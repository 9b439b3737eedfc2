// Opens the outbox of a service, by the environment, and starts to send.
import { join } from "node:path";
import type { ServiceBroker } from "moleculer";
import { databaseEnvironment, type Database } from "../database/index.ts";
import { fileCarrier, smtpCarrier } from "./carriers.ts";
import { mailEnvironment } from "./environment.ts";
import { MailLoop, type Compose, type MailLoopOptions } from "./mail-loop.ts";
import { Outbox, type MailOf, type OutboxOptions } from "./outbox.ts";

/** The folder of mails where there is no server. */
export const mailFolder = (dataDir: string): string => join(dataDir, "mail");

export interface MailsOptions<Own extends MailOf> extends OutboxOptions {
  readonly broker: ServiceBroker;
  /** The service's own, with the table of `mailTable`. */
  readonly database: Database;
  readonly logger: MailLoopOptions<Own>["logger"];
  readonly compose: Compose<Own>;
}
export interface OpenMails<Own extends MailOf> {
  readonly outbox: Outbox<Own>;
  /** Wake it after each `outbox.add`, and stop it with the service. */
  readonly mails: MailLoop<Own>;
}

/** Sends the mails of a service: over `SMTP_URL`, or into files. Call it in `started`. */
export function openMails<Own extends MailOf>(options: MailsOptions<Own>): OpenMails<Own> {
  const { broker, database, logger, compose } = options;
  const { SMTP_URL, MAIL_FROM: from } = mailEnvironment.of(broker);
  const { DATA_DIR } = databaseEnvironment.of(broker);
  const outbox = new Outbox<Own>(database, options);
  const carrier = SMTP_URL === undefined ? fileCarrier(mailFolder(DATA_DIR)) : smtpCarrier(SMTP_URL);
  const mails = new MailLoop<Own>({ outbox, compose, carrier, from, logger });
  mails.start();
  return { outbox, mails };
}
