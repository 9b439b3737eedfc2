// The cluster that a release goes to, by kubectl.
import { setTimeout as sleep } from "node:timers/promises";
import type { Manifest } from "./manifests.ts";
import type { Run, RunOptions } from "./run.ts";

const limits = {
  /** Milliseconds between two looks at the migration. */
  lookMs: 2_000,
  /**
   * Milliseconds of one call of kubectl, which itself waits for ever: a server that hangs must not keep a release half rolled out. A wait has
   * this besides its own time.
   */
  callMs: 120_000,
  /** Lines that a failed migration's log is cut to. */
  logLines: 100,
};

/** What serves, by workload: the revision that `rollout undo` knows it by. */
export type Revisions = ReadonlyMap<string, string>;

export class Cluster {
  readonly #run: Run;
  readonly #namespace: string;
  /** Of one wait. */
  readonly #minutes: number;

  constructor(run: Run, namespace: string, minutes: number) {
    this.#run = run;
    this.#namespace = namespace;
    this.#minutes = minutes;
  }

  #kubectl(args: readonly string[], options?: RunOptions): string {
    return this.#run("kubectl", ["--namespace", this.#namespace, ...args], { timeoutMs: limits.callMs, ...options });
  }

  apply(items: readonly Manifest[]): void {
    const list = { apiVersion: "v1", kind: "List", items };
    this.#kubectl(["apply", "--filename", "-"], { input: JSON.stringify(list), isShown: true });
  }

  get(...kind: string[]): any[] {
    const text = this.#kubectl(["get", ...kind, "--ignore-not-found", "--output", "json"]);
    // Nothing at all for a name that is not there.
    if (text.trim() === "") return [];
    const found: any = JSON.parse(text);
    return found.items ?? [found];
  }

  /** Of all Deployments and StatefulSets that are there. */
  revisions(): Revisions {
    return new Map(
      this.get("deployments,statefulsets").map(({ kind, metadata, status }) => [
        `${String(kind).toLowerCase()}/${metadata.name}`,
        metadata.annotations?.["deployment.kubernetes.io/revision"] ?? status?.updateRevision ?? "",
      ]),
    );
  }

  /** A Job cannot be changed: the one of the release before goes first. */
  removeMigration(): void {
    this.#kubectl(["delete", "job", "migrate", "--ignore-not-found", "--wait"], { isShown: true });
  }

  /** Resolves when the tables are those of the release. Throws with the Job's log when it has failed. */
  async migrated(timeoutMs: number): Promise<void> {
    for (const end = Date.now() + timeoutMs; ; await sleep(limits.lookMs)) {
      const [job] = this.get("job", "migrate");
      const has = (type: string): boolean =>
        (job?.status?.conditions ?? []).some((one: any) => one.type === type && one.status === "True");
      if (has("Complete")) return;
      const isOver = Date.now() > end;
      if (!isOver && !has("Failed")) continue;
      const log = this.#kubectl(["logs", "job/migrate", `--tail=${limits.logLines}`]);
      throw new Error(`the migration ${isOver ? "did not end in time" : "failed"}:\n${log}`);
    }
  }

  /** Throws when it is not there in time. */
  rolledOut(workload: string): void {
    this.#kubectl(["rollout", "status", workload, `--timeout=${this.#minutes}m`], {
      isShown: true,
      timeoutMs: this.#minutes * 60_000 + limits.callMs,
    });
  }

  /**
   * Back to a revision. A Deployment has a number for each; without it `undo` goes back by one, which is a release too far where
   * nothing has changed. A StatefulSet's revision is a name, and this one has changed: one back is right.
   */
  undo(workload: string, revision: string): void {
    const to = workload.startsWith("deployment/") ? [`--to-revision=${revision}`] : [];
    this.#kubectl(["rollout", "undo", workload, ...to], { isShown: true });
  }
}
