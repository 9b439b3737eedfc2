// `valence start --workers 4`: so many processes of the same services on one machine, on one HTTP port. The first is
// started alone, so that migrations and the first start's data are done before the others start. Without NATS the
// workers also find each other through the supervisor: it knows when a process has started, and at once when one has
// ended. It adds their metrics up for whoever asks one of them.
import cluster, { type Worker } from "node:cluster";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import {
  backoffMs,
  ALL_SERVICES,
  newClusterKeys,
  nodeEnvironment,
  type Environment,
  type FromSupervisor,
  type FromWorker,
  type Peer,
} from "../kernel/index.ts";
import { WorkerMetrics, type Family } from "../metrics/index.ts";

const limits = {
  /** Milliseconds before a worker that died is replaced: doubled each time it dies before it is stable. */
  restart: { baseMs: 200, capMs: 10_000 },
  /** Uptime in milliseconds after which the restart backoff starts anew. */
  stableAfterMs: 10_000,
  /** Milliseconds beyond the shutdown time-out after which a worker that does not end is killed. */
  patienceMs: 10_000,
};

/**
 * Starts the workers, each as `valence` with these arguments, and replaces each one that dies. Ends the process when
 * all have ended after a signal.
 */
export function supervise(environment: Environment, args: string[]): void {
  const { NODEID, SHUTDOWN_TIMEOUT_MS, WORKERS } = nodeEnvironment.of(environment);
  cluster.setupPrimary({ args });
  const base = NODEID ?? `${hostname().toLowerCase()}-${process.pid}`;
  const keys = ownKeys(environment);
  const peers = new Map<number, Peer>();
  const metrics = new WorkerMetrics();
  let hasStarted = false;
  let stopping = false;

  const tell = (worker: Worker, message: FromSupervisor): void => {
    if (worker.isConnected()) worker.send(message, () => {});
  };
  const others = (id: number): Worker[] =>
    Object.values(cluster.workers!).filter(worker => worker!.id !== id) as Worker[];

  const introduce = (worker: Worker, peer: Peer): void => {
    for (const other of others(worker.id)) {
      tell(other, { peer });
      const known = peers.get(other.id);
      if (known) tell(worker, { peer: known });
    }
    peers.set(worker.id, peer);
  };

  const tellAllMetrics = async (worker: Worker, number: number): Promise<void> => {
    const workers = Object.values(cluster.workers!).filter(one => one!.isConnected()) as Worker[];
    const byId = new Map(workers.map(one => [one.id, one]));
    const families = await metrics.all([...byId.keys()], (id, asked) => tell(byId.get(id)!, { tellMetrics: asked }));
    tell(worker, { allMetrics: number, families });
  };

  const launch = (place: number, deaths: number): Promise<void> =>
    new Promise(resolve => {
      if (stopping) return;
      const startedAt = performance.now();
      // The runner appends the number of the life: under the name of a dead node, the others would take this process
      // for that one.
      const worker = cluster.fork({ WORKER: `${place}`, NODEID: base, ...keys });
      worker.on("message", (message: FromWorker) => {
        if ("listening" in message) introduce(worker, message.listening);
        if ("started" in message) resolve();
        if ("metrics" in message) metrics.answered(worker.id, message.metrics, message.families as Family[]);
        if ("wantsMetrics" in message) void tellAllMetrics(worker, message.wantsMetrics);
      });
      worker.on("exit", (code, signal) => {
        const peer = peers.get(worker.id);
        peers.delete(worker.id);
        void metrics.ended(worker.id, !stopping);
        if (peer) for (const other of others(worker.id)) tell(other, { gone: peer.nodeId });
        if (stopping) return endWithTheLast();
        // An error that ends the very first worker, a wrong setting or a taken port, would end all of them.
        if (!hasStarted) return stop(code || 1);
        const young = performance.now() - startedAt < limits.stableAfterMs ? deaths + 1 : 1;
        const pauseMs = backoffMs(young, limits.restart);
        console.error(`worker ${place} ended (${signal ?? `code ${code}`}); another one in ${Math.round(pauseMs)} ms`);
        void sleep(pauseMs).then(() => {
          void launch(place, young);
        });
      });
    });

  let exitCode = 0;
  const endWithTheLast = (): void => {
    if (Object.keys(cluster.workers!).length === 0) process.exit(exitCode);
  };
  const stop = (code: number): void => {
    if (stopping) return;
    stopping = true;
    exitCode = code;
    for (const worker of Object.values(cluster.workers!)) worker!.process.kill("SIGTERM");
    setTimeout(() => {
      for (const worker of Object.values(cluster.workers!)) worker!.process.kill("SIGKILL");
    }, SHUTDOWN_TIMEOUT_MS + limits.patienceMs).unref();
    endWithTheLast();
  };
  process.on("SIGTERM", () => stop(0));
  process.on("SIGINT", () => stop(0));

  void launch(1, 0).then(() => {
    hasStarted = true;
    for (let place = 2; place <= WORKERS; place++) void launch(place, 0);
  });
}

/**
 * Keys for the workers of this machine, so that no other program on it can speak to them: made at each start, and handed
 * over by the environment, which other users cannot read. Workers on a bus that others share have those of the cluster.
 */
function ownKeys(environment: Environment): { CLUSTER_KEYS?: string; NODE_KEY?: string } {
  const { NATS_URL, NODE_KEY } = nodeEnvironment.of(environment);
  if (NATS_URL !== undefined || NODE_KEY !== undefined) return {};
  const { clusterKeys, nodeKeys } = newClusterKeys({ worker: [ALL_SERVICES] }, { anyNodeId: true });
  return { CLUSTER_KEYS: clusterKeys, NODE_KEY: nodeKeys.get("worker")! };
}
