// Whether the database could be restored: CloudNativePG's newest copy, and the log that is archived since.
import type { Cluster } from "./cluster.ts";

/** Hours. The schedule makes one each night; two hours are for making it. */
const NEWEST_HOURS_MAX = 26;

/** Throws when the newest whole copy is too old, or the log is not archived. Returns a line for the log. */
export function checkBackup(cluster: Cluster, now = Date.now()): string {
  const databases = cluster.get("clusters.postgresql.cnpg.io");
  if (databases.length === 0)
    throw new Error("there is no database of CloudNativePG whose copies could be looked at: --no-backup-check");
  const backups = cluster.get("backups.postgresql.cnpg.io");
  const lines = databases.map(({ metadata, status }) => {
    const name: string = metadata.name;
    const ends = backups
      .filter(one => one.spec?.cluster?.name === name && one.status?.phase === "completed")
      .map(one => Date.parse(one.status.stoppedAt));
    const hours = (now - Math.max(0, ...ends)) / 3_600_000;
    if (ends.length === 0) throw new Error(`${name} has no whole copy: docs/restore.md`);
    if (hours > NEWEST_HOURS_MAX) throw new Error(`the newest copy of ${name} is ${Math.round(hours)} hours old`);
    const archiving = (status?.conditions ?? []).find((one: any) => one.type === "ContinuousArchiving");
    if (archiving?.status !== "True")
      throw new Error(`the log of ${name} is not archived: ${archiving?.message ?? "no word of it"}`);
    return `${name}: a copy of ${hours.toFixed(1)} hours ago, and the log since`;
  });
  return lines.join("\n");
}
