// Puts the parts together that mails need, by the environment, and starts to send.
import { join } from "node:path";
import type { ServiceBroker } from "moleculer";
import { databaseEnvironment, type Database } from "../../database/index.ts";
import { gatewayEnvironment } from "../../gateway/index.ts";
import type { Counter } from "../../redis/index.ts";
import { accountsEnvironment } from "../environment.ts";
import { limits } from "../limits.ts";
import type { AccountsParts } from "../parts.ts";
import type { Users } from "../users.ts";
import { fileCarrier, smtpCarrier } from "./carriers.ts";
import { MailLimits } from "./mail-limits.ts";
import { MailLoop } from "./mail-loop.ts";
import { MailedTokens } from "./mailed-tokens.ts";
import { Outbox } from "./outbox.ts";

/** The folder of mails that no server takes. */
export const mailFolder = (dataDir: string): string => join(dataDir, "mail");

interface Needs {
  readonly broker: ServiceBroker;
  readonly database: Database;
  readonly users: Users;
  readonly counter: (name: string, windowMs: number) => Counter;
  readonly say: (line: string) => void;
}

export function openMails({
  broker,
  database,
  users,
  counter,
  say,
}: Needs): Pick<AccountsParts, "outbox" | "mailedTokens" | "mailLimits" | "mails"> {
  const { SMTP_URL, MAIL_FROM: from } = accountsEnvironment.of(broker);
  const { DATA_DIR } = databaseEnvironment.of(broker);
  const { PUBLIC_URL: publicUrl } = gatewayEnvironment.of(broker);
  const outbox = new Outbox(database);
  const mailedTokens = new MailedTokens(database);
  const carrier = SMTP_URL === undefined ? fileCarrier(mailFolder(DATA_DIR)) : smtpCarrier(SMTP_URL);
  const mails = new MailLoop({ outbox, users, tokens: mailedTokens, carrier, from, publicUrl, say });
  mails.start();
  return {
    outbox,
    mailedTokens,
    mails,
    mailLimits: new MailLimits({
      byAccount: counter("mails", limits.mailsPerAccountWindowMs),
      byAddress: counter("resets-by-address", limits.resetsPerAddressWindowMs),
    }),
  };
}
