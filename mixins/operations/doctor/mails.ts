// Mails that no server takes, and those that nobody sends. A mail that is held for its recipient, whose address is not verified, is
// neither.
import { minutes } from "../../kernel/index.ts";
import { limits } from "./limits.ts";
import { count, duration, fail, ok, warn, type Result } from "./finding.ts";
import type { Tables } from "./tables.ts";

/**
 * A mail that the server refuses is tried every five minutes at last, one that is held waits for a quarter of an hour and more
 * between its first ten attempts, and then longer: so many attempts at such a pace are the server's.
 */
const ATTEMPTS = 10;
const PACE_MS = minutes(10);

export async function mailsOf(tables: Tables): Promise<readonly Result[]> {
  if (!tables.names.has("mails")) return [];
  const now = await tables.now();
  const { mailsWaitMs, mailsDueMs, givenUpMs } = limits;
  const [row] = await tables.rows(
    `select count(*) as waiting,
       coalesce(sum(case when created_at < $1 and attempts >= ${ATTEMPTS} and $2 - created_at < attempts * ${PACE_MS} then 1 else 0 end), 0) as refused,
       min(case when attempts >= ${ATTEMPTS} and $2 - created_at < attempts * ${PACE_MS} then created_at end) as since,
       coalesce(sum(case when next_at < $3 then 1 else 0 end), 0) as due, min(next_at) as first_due
     from mails where next_at is not null`,
    [now - mailsWaitMs, now, now - mailsDueMs],
  );
  const [{ failed }] = await tables.rows("select count(*) as failed from mails where failed_at > $1", [
    now - givenUpMs,
  ]);
  const results: Result[] = [];
  if (row.refused > 0)
    results.push(
      fail(
        "mails",
        `${count(row.refused, "mail")} that the server does not take, the first for ${duration(now - row.since)}`,
        "`reason` in the table `mails` has its words: mend SMTP_URL, MAIL_FROM, or the server; they go out by themselves then",
      ),
    );
  if (row.due > 0)
    results.push(
      fail(
        "mails",
        `${count(row.due, "mail")} due and not tried, the first for ${duration(now - row.first_due)}`,
        "does a process run this service? It sends them",
      ),
    );
  if (failed > 0)
    results.push(
      warn(
        "mails",
        `${count(failed, "mail")} given up within ${duration(givenUpMs)}`,
        "`reason` in the table `mails` says why of each",
      ),
    );
  return results.length > 0 ? results : [ok("mails", `${row.waiting} wait`)];
}
