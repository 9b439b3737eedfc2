// Opens the outbox of a service, by the environment, and starts to send.
import { join } from "node:path";
import type { ServiceBroker } from "moleculer";
import { databaseEnvironment, type Database } from "../database/index.ts";
import { metersOf, reading } from "../metrics/index.ts";
import { dependsOn } from "../kernel/index.ts";
import { fileCarrier, smtpCarrier } from "./carriers.ts";
import { mailEnvironment } from "./environment.ts";
import { MailLoop, type Compose, type MailLoopOptions, type MailOutcome } from "./mail-loop.ts";
import { limits } from "./limits.ts";
import { mailMetrics } from "./metrics.ts";
import { mailServerState } from "./server-state.ts";
import { Outbox, type MailOf, type OutboxOptions } from "./outbox.ts";

/** The folder of mails where there is no server. */
export const mailFolder = (dataDir: string): string => join(dataDir, "mail");

export interface MailsOptions<Own extends MailOf> extends OutboxOptions {
  readonly broker: ServiceBroker;
  /** Name of the service, for metrics. */
  readonly service: string;
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
  if (SMTP_URL !== undefined)
    dependsOn(broker, { kind: "mail", name: new URL(SMTP_URL).host, ask: () => mailServerState(SMTP_URL) });
  const count = counting(options.broker, options.service, outbox);
  const mails = new MailLoop<Own>({ outbox, compose, carrier, from, logger, count });
  // Letters are written with the help of other services: until all of this process are there, each would fail.
  if (broker.started) mails.start();
  else broker.localBus.once("$broker.started", () => mails.start());
  return { outbox, mails };
}

/** Counts a service's mails; its outbox is read at a scrape. */
function counting(
  broker: ServiceBroker,
  service: string,
  outbox: Outbox<any>,
): ((outcome: MailOutcome) => void) | undefined {
  const meters = metersOf(broker);
  if (!meters) return undefined;
  const labels = { service };
  meters.read("mails", async () => [reading(mailMetrics.waiting, await outbox.waiting(), labels)], {
    keptMs: limits.metricsKeptMs,
  });
  const series = {
    sent: meters.counter(mailMetrics.mails, { service, outcome: "sent" }),
    postponed: meters.counter(mailMetrics.mails, { service, outcome: "postponed" }),
    given_up: meters.counter(mailMetrics.mails, { service, outcome: "given_up" }),
  };
  return outcome => series[outcome].add();
}
