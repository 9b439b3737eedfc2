// Puts the parts together that mails of accounts need, by the environment, and starts to send.
import type { ServiceBroker } from "moleculer";
import type { Database } from "../../database/index.ts";
import { gatewayEnvironment } from "../../gateway/index.ts";
import { openMails } from "../../mail/index.ts";
import type { Counter } from "../../redis/index.ts";
import { limits } from "../limits.ts";
import type { AccountsParts } from "../parts.ts";
import type { Users } from "../users.ts";
import { letterOf, type AccountMail } from "./account-mails.ts";
import { MailLimits } from "./mail-limits.ts";
import { MailedTokens } from "./mailed-tokens.ts";

interface Needs {
  readonly broker: ServiceBroker;
  readonly service: string;
  readonly database: Database;
  readonly users: Users;
  readonly counter: (name: string, windowMs: number) => Counter;
  readonly logger: { info(line: string): void; warn(line: string): void };
}

export function openAccountMails({
  broker,
  service,
  database,
  users,
  counter,
  logger,
}: Needs): Pick<AccountsParts, "outbox" | "mailedTokens" | "mailLimits" | "mails"> {
  const { PUBLIC_URL: publicUrl } = gatewayEnvironment.of(broker);
  const mailedTokens = new MailedTokens(database);
  const { outbox, mails } = openMails<AccountMail>({
    broker,
    service,
    database,
    logger,
    lifeMs: limits.mailLifeMs,
    keptMs: limits.mailKeptMs,
    compose: mail => letterOf(mail, { users, tokens: mailedTokens, publicUrl }),
  });
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
