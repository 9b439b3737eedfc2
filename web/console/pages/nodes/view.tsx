// The processes that run, and how each of them is.
import { Empty, Loaded, Partial, Status, Table, useResource, type Tone } from "../../../kit/index.ts";
import type { AnswerOf } from "../../../../client/index.ts";
import { api } from "../../console.ts";
import { Head } from "../../parts/head.tsx";

type Health = AnswerOf<typeof api.ops.health>;
type Dependency = Health["nodes"][number]["dependencies"][number];
interface Node {
  readonly id: string;
  readonly available: boolean;
  readonly hostname: string;
  readonly cpu: number | null;
  readonly services: readonly string[];
}
const TONES: Readonly<Record<string, Tone>> = { ok: "good", warn: "warn", FAIL: "bad" };

export default function Nodes() {
  const nodes = useResource(
    "nodes",
    signal => api.ops.nodes({ limit: 500 }, { signal }) as unknown as Promise<{ nodes: readonly Node[] }>,
    { keeps: true },
  );
  const health = useResource("health", signal => api.ops.health({ limit: 100 }, { signal }), { keeps: true });
  const reload = (): void => {
    nodes.reload();
    health.reload();
  };
  return (
    <div class="stack loose">
      <Head title="Nodes" of={{ ...nodes, reload }} />
      <Loaded of={nodes}>
        {({ nodes }) => (
          <>
            <Table<Node>
              label="Nodes"
              rows={nodes}
              keyOf={({ id }) => id}
              columns={[
                { head: "Node", cell: ({ id }) => <code>{id}</code> },
                {
                  head: "State",
                  cell: ({ available }) => (
                    <Status tone={available ? "good" : "bad"}>{available ? "there" : "missing"}</Status>
                  ),
                },
                { head: "CPU", align: "end", cell: ({ cpu }) => (cpu === null ? "–" : `${cpu} %`) },
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
