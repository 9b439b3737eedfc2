// kubectl and npx as the scripts under deploy/ see them: they keep the cluster that they are told of, and write down each call.
// `kustomize` is the real one, once for each text.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { run, type Run } from "../../deploy/run.ts";

/** What goes wrong. */
export interface Scenario {
  /** The condition that the Job ends with. Default Complete. */
  readonly migration?: "Failed";
  /** Workload that does not come up with the new image. */
  readonly stuck?: string;
  /** Deployment whose pods fail the smoke test once they have the new image. */
  readonly bad?: string;
  /** Whether the smoke test always fails. */
  readonly isDown?: boolean;
  /** A call that fails while the release is taken back, and how often. */
  readonly failing?: { readonly call: RegExp; readonly times: number };
  readonly backupHours?: number;
  readonly archiving?: string;
}
export interface Workload {
  readonly kind: string;
  revision: number;
  /** Templates by revision. */
  readonly history: Record<string, unknown>;
  replicas?: number;
}
const rendered = new Map<string, string>();

export class FakeCluster {
  readonly calls: string[] = [];
  /** Parts of the clients at the canary, as they were set. */
  readonly weights: number[] = [];
  /** By `deployment/core`. */
  readonly workloads: Map<string, Workload>;
  readonly #newImage: string;
  readonly #scenario: Scenario;
  #failed = 0;
  /** Whether the roll-out has said that it takes the release back. */
  isTakenBack = false;

  constructor(newImage: string, scenario: Scenario, workloads: ReadonlyMap<string, Workload>) {
    [this.#newImage, this.#scenario, this.workloads] = [newImage, scenario, new Map(workloads)];
  }

  readonly run: Run = (program, args, { input = "" } = {}) => {
    const words = args.filter((one, i) => one !== "--namespace" && args[i - 1] !== "--namespace");
    const call = [program, ...words].join(" ");
    this.calls.push(call);
    const { failing } = this.#scenario;
    if (this.isTakenBack && failing?.call.test(call) && ++this.#failed <= failing.times)
      throw new Error(`${call}: connection refused`);
    if (words[0] === "kustomize") return this.#kustomize(words[1]!);
    return program === "npx" ? this.#smoke(words) : this.#kubectl(words, input);
  };

  imageOf(id: string): string | undefined {
    const workload = this.workloads.get(id);
    return (workload?.history[workload.revision] as any)?.spec.containers[0].image;
  }

  #kustomize(path: string): string {
    const text = readFileSync(join(path, "kustomization.yaml"), "utf8");
    // Its first line has the folder, which is another each time.
    const key = text.replace(/.*\n/, "");
    const found = rendered.get(key) ?? run("kubectl", ["kustomize", path]);
    rendered.set(key, found);
    return found;
  }

  #smoke(words: readonly string[]): string {
    const asked = words.includes("x-canary: 1") ? "gateway-canary" : "gateway";
    const isBad = this.#scenario.bad === asked && this.imageOf(`deployment/${asked}`) === this.#newImage;
    if (this.#scenario.isDown || isBad) throw new Error("exit code 1");
    return "";
  }

  #kubectl([verb, what = "", third = "", fourth]: readonly string[], input: string): string {
    if (verb === "apply") for (const item of JSON.parse(input).items) this.#apply(item);
    if (verb === "get") return JSON.stringify({ items: this.#get(what) });
    if (verb === "logs") return "column total exists already";
    if (verb === "rollout" && what === "undo") this.#undo(third, fourth);
    if (
      verb === "rollout" &&
      what === "status" &&
      third === this.#scenario.stuck &&
      this.imageOf(third) === this.#newImage
    )
      throw new Error("timed out waiting for the condition");
    return "";
  }

  #apply({ kind, metadata, spec }: any): void {
    this.calls.push(`  ${kind} ${metadata.name}`);
    if (kind === "VirtualService" && metadata.name === "gateway")
      this.weights.push(spec.http[0].route.find((one: any) => one.destination.subset === "canary").weight);
    if (!["Deployment", "StatefulSet"].includes(kind)) return;
    const id = `${kind.toLowerCase()}/${metadata.name}`;
    const workload: Workload = this.workloads.get(id) ?? { kind, revision: 0, history: {} };
    this.workloads.set(id, workload);
    workload.replicas = spec.replicas;
    change(workload, spec.template);
  }

  #get(what: string): unknown[] {
    const { migration = "Complete", archiving = "True", backupHours = 3 } = this.#scenario;
    if (what === "job") return [{ status: { conditions: [{ type: migration, status: "True" }] } }];
    const isArchived = { type: "ContinuousArchiving", status: archiving };
    if (what.startsWith("clusters.")) return [{ metadata: { name: "postgres" }, status: { conditions: [isArchived] } }];
    const stoppedAt = new Date(Date.now() - backupHours * 3_600_000).toISOString();
    if (what.startsWith("backups."))
      return [{ spec: { cluster: { name: "postgres" } }, status: { phase: "completed", stoppedAt } }];
    return [...this.workloads].map(([id, { kind, revision }]) => ({
      kind,
      metadata: {
        name: id.split("/")[1],
        ...(kind === "Deployment" && { annotations: { "deployment.kubernetes.io/revision": `${revision}` } }),
      },
      status: kind === "StatefulSet" ? { updateRevision: `hash-${revision}` } : {},
    }));
  }

  #undo(id: string, option: string | undefined): void {
    const workload = this.workloads.get(id)!;
    const revision = Number(/^--to-revision=(\d+)$/.exec(option ?? "")?.[1] ?? workload.revision - 1);
    change(workload, workload.history[revision]);
  }
}

/** A template that is new is the next revision. */
function change(workload: Workload, template: unknown): void {
  if (JSON.stringify(workload.history[workload.revision]) === JSON.stringify(template)) return;
  workload.revision += 1;
  workload.history[workload.revision] = template;
}
