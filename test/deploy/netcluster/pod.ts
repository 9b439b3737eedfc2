// One pod as the kubelet runs it: its container with what the manifests give it, restarted when it ends or is not live; its probes;
// and its end: preStop, SIGTERM, and SIGKILL when the grace period is over.
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "@valence/runtime/testing";
import type { Manifest } from "../manifests.ts";
import { containersOf, ofKind, secretOf, variablesOf, type Workload } from "../workloads.ts";
import type { Agent } from "./agents.ts";
import { Container, PATHS, type VolumeFile } from "./container.ts";
import type { Image } from "./image.ts";
import type { Endpoint } from "./rules.ts";

/** Seconds until a container that has ended starts again: the second time, and the most. */
const BACKOFF_SECONDS = 10;
const BACKOFF_SECONDS_MAX = 300;

export interface PodContext {
  readonly manifests: readonly Manifest[];
  readonly images: (image: string) => Image;
  /** In the namespace of the router: where the kubelet is. */
  readonly host: Agent;
  /** What every pod has in /etc. */
  readonly etc: (pod: Pod) => ReadonlyMap<string, string>;
  /** A folder that outlives the pod, of a claim. */
  readonly claim: (name: string) => string;
  /** The endpoints are others now. */
  readonly changed: () => void;
}

export class Pod implements Endpoint {
  readonly name: string;
  readonly namespace: string;
  readonly address: string;
  readonly network: string;
  readonly node: string;
  readonly workload: Workload;
  readonly labels: Readonly<Record<string, string>>;
  readonly ports: Readonly<Record<string, number>>;
  isReady = false;
  isTerminating = false;
  /** Why the container was started once more, each time. */
  readonly restarts: string[] = [];
  /** Of the container that has ended last; null when a signal ended it. */
  exitCode: number | null | undefined;
  /** Whether the grace period was over before the container had ended. */
  wasKilled = false;
  output = "";
  readonly #context: PodContext;
  readonly #spec: any;
  readonly #env: Readonly<Record<string, string>>;
  #container: Container | undefined;
  #running: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;

  constructor(
    context: PodContext,
    workload: Workload,
    place: { name: string; namespace: string; address: string; network: string; node: string },
  ) {
    this.#context = context;
    this.workload = workload;
    ({ name: this.name, namespace: this.namespace, address: this.address } = place);
    ({ network: this.network, node: this.node } = place);
    this.labels = workload.labels;
    [this.#spec] = containersOf(workload);
    this.ports = Object.fromEntries((this.#spec.ports ?? []).map((one: any) => [one.name, one.containerPort]));
    this.#env = {
      PATH: PATHS,
      ...this.#image.env,
      // A label that is not there is an empty text.
      ...Object.fromEntries(
        (this.#spec.env ?? []).flatMap(({ name, valueFrom }: any) => (valueFrom?.fieldRef ? [[name, ""]] : [])),
      ),
      ...Object.fromEntries(
        variablesOf(this.#spec, context.manifests, this.name).flatMap(({ name, value }) =>
          value === undefined ? [] : [[name, value]],
        ),
      ),
    };
  }

  get #image(): Image {
    return this.#context.images(this.#spec.image);
  }

  /** The output of all its containers. */
  get log(): string {
    return this.output + (this.#container?.output ?? "");
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Resolves when it takes its part of the work. */
  async becomesReady(withinMs: number): Promise<void> {
    await until(`${this.name} is ready`, () => this.isReady || this.exitCode === 0, withinMs).catch((error: Error) => {
      throw new Error(`${error.message}\n${this.log.slice(-4_000)}`);
    });
  }

  /** Resolves with the exit code, of a pod that is to end by itself. */
  async completes(withinMs: number): Promise<void> {
    await until(`${this.name} has completed`, () => this.exitCode === 0, withinMs).catch((error: Error) => {
      throw new Error(`${error.message}\n${this.log.slice(-4_000)}`);
    });
  }

  /** Deletes it. Resolves when it has ended. */
  stop(): Promise<void> {
    return (this.#stopped ??= this.#stop());
  }

  /** Ends it at once, as a machine that is lost. */
  async kill(): Promise<void> {
    this.isTerminating = true;
    this.#setReady(false);
    await this.#container?.kill();
    await this.#running;
  }

  async #stop(): Promise<void> {
    this.isTerminating = true;
    // The endpoints are told at the same time as the container, and may hear of it later.
    this.#setReady(false);
    const container = this.#container;
    if (container?.running) {
      const graceMs = (this.workload.pod.terminationGracePeriodSeconds ?? 30) * 1_000;
      const over = new AbortController();
      const killed = sleep(graceMs, undefined, { signal: over.signal }).then(
        async () => {
          this.wasKilled = true;
          await container.kill();
        },
        () => {},
      );
      const { sleep: pause, exec } = this.#spec.lifecycle?.preStop ?? {};
      if (pause) await Promise.race([sleep(pause.seconds * 1_000), container.ended]);
      if (exec) await container.exec(exec.command, {});
      container.signal("SIGTERM");
      await container.ended;
      over.abort();
      await killed;
    }
    await this.#running;
  }

  #setReady(isReady: boolean): void {
    if (this.isReady === isReady) return;
    this.isReady = isReady;
    this.#context.changed();
  }

  async #run(): Promise<void> {
    for (
      let backoffS = 0;
      !this.isTerminating;
      backoffS = Math.min(BACKOFF_SECONDS_MAX, backoffS * 2 || BACKOFF_SECONDS)
    ) {
      await sleep(backoffS * 1_000);
      if (this.isTerminating) return;
      const container = this.#make();
      this.#container = container;
      const over = new AbortController();
      void container.ended.then(() => over.abort());
      const probing = this.#probe(container, over.signal).catch(() => {});
      this.exitCode = await container.ended;
      await probing;
      this.#setReady(false);
      this.output += container.output;
      container.output = "";
      if (this.isTerminating || (this.exitCode === 0 && this.workload.pod.restartPolicy === "OnFailure")) return;
      this.restarts.push(`exit code ${this.exitCode}: ${this.output.slice(-600)}`);
    }
  }

  #make(): Container {
    const { securityContext: rights = {}, containers: _, volumes = [] } = this.workload.pod;
    const { command, args, volumeMounts = [], resources } = this.#spec;
    const image = this.#image;
    const expanded = (text: string): string => text.replaceAll(/\$\((\w+)\)/g, (all, name) => this.#env[name] ?? all);
    const files: VolumeFile[] = [...this.#context.etc(this)].map(([path, text]) => ({
      path,
      text,
      mode: 0o644,
      gid: 0,
    }));
    const writable = new Map<string, string | undefined>(image.writable.map(path => [path, undefined]));
    for (const { name, mountPath } of volumeMounts) {
      const volume = volumes.find((one: any) => one.name === name);
      if (!volume) writable.set(mountPath, this.#context.claim(`${name}-${this.name}`));
      else if (volume.emptyDir) writable.set(mountPath, undefined);
      else files.push(...filesOf(volume, mountPath, rights.fsGroup, this.#context.manifests));
    }
    return new Container({
      name: this.name,
      network: this.network,
      command: [...(command ?? image.entrypoint), ...(args ?? (command ? [] : image.command))].map(expanded),
      folder: image.folder,
      env: this.#env,
      user: {
        uid: rights.runAsUser,
        gid: rights.runAsGroup,
        groups: rights.fsGroup === undefined ? [] : [rights.fsGroup],
      },
      files,
      writable,
      shared: image.shared,
      memoryBytes: bytesOf(resources?.limits?.memory),
    });
  }

  // ---- probes

  async #probe(container: Container, signal: AbortSignal): Promise<void> {
    const { startupProbe, readinessProbe, livenessProbe } = this.#spec;
    const rounds = async (probe: any, each: (holds: boolean) => boolean): Promise<void> => {
      for (;;) {
        const holds = await this.#holds(container, probe);
        if (signal.aborted || !each(holds)) return;
        await sleep((probe.periodSeconds ?? 10) * 1_000, undefined, { signal });
      }
    };
    /** Ends the container after so many failures in a row. */
    const orRestart = (probe: any, what: string, goesOn: boolean) => {
      let failures = 0;
      return (holds: boolean): boolean => {
        if (holds) {
          failures = 0;
          return goesOn;
        }
        if (++failures < (probe.failureThreshold ?? 3)) return true;
        if (!this.isTerminating) {
          this.restarts.push(`not ${what}: ${container.output.slice(-600)}`);
          container.signal("SIGTERM");
        }
        return false;
      };
    };
    if (startupProbe) await rounds(startupProbe, orRestart(startupProbe, "started", false));
    if (signal.aborted) return;
    let failures = 0;
    const readiness = (holds: boolean): boolean => {
      failures = holds ? 0 : failures + 1;
      if (holds && !this.isTerminating) this.#setReady(true);
      if (failures >= (readinessProbe?.failureThreshold ?? 3)) this.#setReady(false);
      return true;
    };
    await Promise.all([
      readinessProbe ? rounds(readinessProbe, readiness) : this.#setReady(true),
      livenessProbe && rounds(livenessProbe, orRestart(livenessProbe, "live", true)),
    ]);
  }

  async #holds(container: Container, { httpGet, exec, timeoutSeconds = 1 }: any): Promise<boolean> {
    if (exec) return (await container.exec(exec.command, {})) === 0;
    const port = this.ports[httpGet.port] ?? httpGet.port;
    const url = `http://${this.address}:${port}${httpGet.path}`;
    const status = await this.#context.host.ask("probe", { url, timeoutMs: timeoutSeconds * 1_000 });
    return status >= 200 && status < 400;
  }
}

/**
 * The files of a ConfigMap or a Secret: they belong to root, and to the group of the pod's volumes, which may read them, if it
 * has one.
 */
function filesOf(volume: any, at: string, group: number | undefined, manifests: readonly Manifest[]): VolumeFile[] {
  const { configMap, secret } = volume;
  const { items, defaultMode = 0o644 } = configMap ?? secret;
  const all: Readonly<Record<string, string | undefined>> = configMap
    ? (ofKind(manifests, "ConfigMap").find(({ metadata }) => metadata.name === configMap.name)?.data ?? {})
    : (secretOf(manifests, secret.secretName) ?? {});
  const wanted: { key: string; path: string }[] = items ?? Object.keys(all).map(key => ({ key, path: key }));
  return wanted.map(({ key, path }) => ({
    path: `${at}/${path}`,
    text: all[key]!,
    mode: group === undefined ? defaultMode : defaultMode | 0o440,
    gid: group ?? 0,
  }));
}

function bytesOf(quantity: string | undefined): number | undefined {
  const [, number, unit = ""] = /^(\d+)(Ki|Mi|Gi)?$/.exec(quantity ?? "") ?? [];
  return number === undefined ? undefined : Number(number) * 1_024 ** ["", "Ki", "Mi", "Gi"].indexOf(unit);
}
