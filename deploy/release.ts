// How a release comes to a cluster:
//
// 1. The copies of the database are looked at; without a recent one nothing is begun.
// 2. The tables are migrated by a Job. They only gain, so that the release before serves on them (expand). A Job that fails ends the
//    release, and no pod was changed.
// 3. A second gateway is tried with the header `x-canary: 1`, then with parts of the clients.
// 4. All manifests are applied, and each Deployment is waited for.
// 5. `npx valence smoke` tries it from outside.
//
// What fails in 3 to 5 is taken back: routes, canary, and each workload that has changed to the revision that served before; that is
// tried from outside too. A step of it that fails does not keep the others from being done: a mix of releases is worse than either. Tables
// stay. A ConfigMap that changed has another name, so that a revision finds its own again. What else the
// manifests changed (policies, autoscalers) stays changed until the next release. A process that is killed in between leaves the cluster as
// it is: the same command, of this release or of the one before, goes on from there.
import { setTimeout as sleep } from "node:timers/promises";
import { checkBackup } from "./backup.ts";
import { CANARY, canaryOf, type Canary } from "./canary.ts";
import { Cluster, type Revisions } from "./cluster.ts";
import type { Release } from "./manifests.ts";
import type { Run } from "./run.ts";

export interface RollOutOptions {
  readonly run: Run;
  readonly say: (line: string) => void;
  /** Where clients reach the shop. */
  readonly url: string;
  readonly namespace: string;
  /** For the migration, and for each workload. */
  readonly minutes: number;
  /** Parts of the clients that try the canary in turn, in percent; none for no canary. */
  readonly canary: readonly number[];
  readonly canarySeconds: number;
  readonly checksBackup: boolean;
}
export type RollOutResult = "serves" | "taken back" | "needs a person";

/** Throws when nothing that serves was touched. */
export async function rollOut(release: Release, options: RollOutOptions): Promise<RollOutResult> {
  const { run, say, namespace, minutes } = options;
  const canary = canaryOf(release);
  if (options.canary.some(one => !(one > 0 && one < 100)))
    throw new Error("the canary's parts are percents, such as 5,25");
  if (options.canary.length > 0 && !canary)
    throw new Error("this overlay has no canary, or no mesh that divides requests");
  const cluster = new Cluster(run, namespace, minutes);
  const before = cluster.revisions();
  // Then there is no copy, and the servers come first, since the Job needs them.
  const isFirst = before.size === 0;
  if (options.checksBackup && !isFirst) say(checkBackup(cluster));

  say("== migration");
  cluster.removeMigration();
  cluster.apply(isFirst ? release.manifests : release.first);
  await cluster.migrated(minutes * 60_000);
  try {
    if (canary && options.canary.length > 0 && !isFirst) await tryCanary(cluster, canary, options);
    serve(cluster, release, options);
    say("== it serves");
    return "serves";
  } catch (error) {
    say(`FAILED: ${(error as Error).message}`);
  }
  if (isFirst) {
    say("this was the first release here: there is none to go back to");
    return "needs a person";
  }
  try {
    takeBack(cluster, canary, before, options);
    say("== taken back: the release before serves");
    return "taken back";
  } catch (error) {
    say(`FAILED: ${(error as Error).message}`);
    return "needs a person";
  }
}

async function tryCanary(cluster: Cluster, canary: Canary, options: RollOutOptions): Promise<void> {
  const { say } = options;
  say("== canary, by header");
  cluster.apply([canary.pods(true)]);
  cluster.rolledOut(`deployment/${CANARY}`);
  smoke(options, "--header", "x-canary: 1");
  for (const percent of options.canary) {
    say(`== canary, ${percent} % of the clients`);
    cluster.apply([canary.routes(percent)]);
    await sleep(options.canarySeconds * 1_000);
    smoke(options, "--header", "x-canary: 1");
    smoke(options);
  }
  // Before its pods go with the rest of the manifests.
  cluster.apply([canary.routes(0)]);
}

function serve(cluster: Cluster, { manifests, workloads }: Release, options: RollOutOptions): void {
  options.say("== roll-out");
  // A Job cannot be changed, and has run.
  cluster.apply(manifests.filter(({ kind }) => kind !== "Job"));
  for (const workload of workloads) cluster.rolledOut(workload);
  options.say("== smoke test");
  smoke(options);
}

function takeBack(cluster: Cluster, canary: Canary | undefined, before: Revisions, options: RollOutOptions): void {
  options.say("== taking it back");
  const failures: string[] = [];
  /** Undefined when it has failed this many times. */
  const done = <T>(attempts: number, step: () => T): T | undefined => {
    try {
      return step();
    } catch (error) {
      if (attempts > 1) return done(attempts - 1, step);
      failures.push((error as Error).message);
      return undefined;
    }
  };
  if (canary) done(ATTEMPTS, () => cluster.apply([canary.routes(0), canary.pods(false)]));
  const now = done(ATTEMPTS, () => cluster.revisions());
  // Where nobody can tell what has changed, a Deployment that has its revision stays as it is. A StatefulSet would go back too far.
  const changed = [...before].filter(
    ([id, revision]) =>
      (now ? now.get(id) !== revision : id.startsWith("deployment/")) && id !== `deployment/${CANARY}`,
  );
  for (const [workload, revision] of changed)
    done(workload.startsWith("deployment/") ? ATTEMPTS : 1, () => cluster.undo(workload, revision));
  for (const [workload] of changed) done(1, () => cluster.rolledOut(workload));
  done(1, () => smoke(options));
  if (failures.length > 0) throw new Error(failures.join("\n"));
}
/** Of a step back: while a release fails, so may a call of kubectl. */
const ATTEMPTS = 3;

function smoke({ run, url }: RollOutOptions, ...more: string[]): void {
  run("npx", ["valence", "smoke", url, ...more], { isShown: true });
}
