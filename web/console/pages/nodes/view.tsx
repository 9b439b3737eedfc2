// The processes that run, and how each of them is.
import { Empty, Loaded, Partial, Status, Table, Time, useResource, type Tone } from "../../../kit/index.ts";
import type { AnswerOf } from "../../../../client/index.ts";
import { api } from "../../console.ts";
import { News, useFresh } from "../../parts/fresh.tsx";
import { Head } from "../../parts/head.tsx";

type Health = AnswerOf<typeof api.ops.health>;
type Dependency = Health["nodes"][number]["dependencies"][number];
/** Figures are absent where the node does not answer. */
interface Node {
  readonly id: string;
  readonly available: boolean;
  readonly hostname: string;
  readonly zone?: string;
  readonly runtime?: string;
  readonly startedAt?: string;
  readonly cpuPercent?: number;
  readonly loopDelayMs?: number;
  readonly rssBytes?: number;
  readonly actors?: Readonly<Record<string, number>>;
  readonly pools?: readonly {
    readonly service: string;
    readonly used: number;
    readonly max: number;
    readonly waiting: number;
  }[];
  readonly services: readonly string[];
}
interface Page {
  readonly nodes: readonly Node[];
  readonly silent: readonly string[];
}
const read = (signal?: AbortSignal): Promise<Page> =>
  api.ops.nodes({ limit: 500 }, { signal }) as unknown as Promise<Page>;
const MIB = 1_048_576;
const number = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const TONES: Readonly<Record<string, Tone>> = { ok: "good", warn: "warn", FAIL: "bad" };

const figure = (value: number | undefined, unit = ""): string =>
  value === undefined ? "–" : `${number.format(value)} ${unit}`.trimEnd();
const wordOf = ({ id, available }: Node, silent: readonly string[]): string =>
  !available ? "missing" : silent.includes(id) ? "silent" : "there";
const toneOf = (node: Node, silent: readonly string[]): Tone => (wordOf(node, silent) === "there" ? "good" : "bad");

/** Pools of connections that are in use, those that wait among them; a pool at rest is no news. */
const Pools = ({ of }: { readonly of: NonNullable<Node["pools"]> }) => {
  const busy = of.filter(({ used, waiting }) => used > 0 || waiting > 0);
  if (of.length === 0) return <>–</>;
  if (busy.length === 0) return <>all at rest</>;
  return (
    <>
      {busy.map(({ service, used, max, waiting }) => (
        <div key={service}>
          {service} {used}/{max}
          {waiting > 0 && `, ${waiting} wait`}
        </div>
      ))}
    </>
  );
};

export default function Nodes() {
  const nodes = useResource("nodes", read, { keeps: true });
  const fresh = useFresh(
    "nodes",
    nodes,
    () => read(),
    ({ nodes }) => nodes.map(({ id, available }) => [id, `${available}`] as const),
  );
  const health = useResource("health", signal => api.ops.health({ limit: 100 }, { signal }), { keeps: true });
  const reload = (): void => {
    nodes.reload();
    health.reload();
  };
  return (
    <div class="stack loose">
      <Head title="Nodes" of={{ ...nodes, reload }} />
      <News of={[fresh]} />
      <Loaded of={nodes}>
        {({ nodes, silent }) => (
          <>
            {silent.length > 0 && <Partial silent={silent} onRetry={reload} />}
            <Table<Node>
              label="Nodes"
              rows={nodes}
              keyOf={({ id }) => id}
              columns={[
                {
                  head: "Node",
                  cell: ({ id, hostname, zone }) => (
                    <>
                      <code>{id}</code> <span class="soft small">{[hostname, zone].filter(Boolean).join(", ")}</span>
                    </>
                  ),
                },
                {
                  head: "State",
                  cell: node => <Status tone={toneOf(node, silent)}>{wordOf(node, silent)}</Status>,
                },
                {
                  head: "Release",
                  cell: ({ runtime, startedAt }) => (
                    <>
                      {runtime ?? "–"}{" "}
                      {startedAt !== undefined && (
                        <span class="soft small">
                          up since <Time at={startedAt} />
                        </span>
                      )}
                    </>
                  ),
                },
                {
                  head: "Load",
                  cell: ({ cpuPercent, loopDelayMs, rssBytes }) => (
                    <>
                      <div class="number">{figure(cpuPercent, "% CPU")}</div>
                      <div class="number">{figure(loopDelayMs, "ms loop delay")}</div>
                      <div class="number">{figure(rssBytes === undefined ? undefined : rssBytes / MIB, "MiB")}</div>
                    </>
                  ),
                },
                {
                  head: "Actors",
                  align: "end",
                  cell: ({ actors }) =>
                    figure(actors && Object.values(actors).reduce((sum, resident) => sum + resident, 0)),
                },
                { head: "Pools", cell: ({ pools = [] }) => <Pools of={pools} /> },
                {
                  head: "Services",
                  cell: ({ services }) => services.filter(name => !name.startsWith("$")).join(", "),
                },
              ]}
            />
            {nodes.length === 1 && (
              <p class="soft small">
                One process runs everything. Start another one with <code>SERVICES</code> and <code>NATS_URL</code> to
                have more.
              </p>
            )}
          </>
        )}
      </Loaded>
      <Loaded of={health}>
        {({ nodes, silent }) => (
          <section class="stack" aria-label="What they depend on">
            <h2>What they depend on</h2>
            {silent.length > 0 && <Partial silent={silent} onRetry={reload} />}
            {nodes.length === 0 && <Empty title="No node has answered" icon="nodes" />}
            {nodes.map(({ node, dependencies }) => (
              <details key={node} class="card" open={nodes.length === 1}>
                <summary>
                  <code>{node}</code>
                </summary>
                <Table<Dependency>
                  label={`What ${node} depends on`}
                  rows={dependencies}
                  keyOf={({ kind, name }) => `${kind} ${name}`}
                  columns={[
                    { head: "State", cell: ({ status }) => <Status tone={TONES[status]!}>{status}</Status> },
                    { head: "What", cell: ({ kind, name }) => (kind === name ? name : `${name} (${kind})`) },
                    {
                      head: "How it is",
                      cell: ({ message, advice }) => (
                        <>
                          {message} {advice !== undefined && <span class="soft">{advice}</span>}
                        </>
                      ),
                    },
                  ]}
                />
              </details>
            ))}
          </section>
        )}
      </Loaded>
    </div>
  );
}
