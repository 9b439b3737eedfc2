// Traces that failed or were slow, the latest first: each node keeps some in memory. Any trace is found by an id that its spans carry.
import { useSignal } from "@preact/signals";
import {
  Empty,
  Field,
  Loaded,
  Partial,
  Select,
  Status,
  Table,
  Time,
  useQuery,
  useResource,
} from "../../../kit/index.ts";
import type { RowOf } from "../../../../client/index.ts";
import { api } from "../../console.ts";
import { traceAddress } from "../../parts/address.ts";
import { Head } from "../../parts/head.tsx";
import { More } from "../../parts/more.tsx";

type Trace = RowOf<typeof api.ops.traces>;
const KINDS = ["failed", "slow"] as const;
const PAGE = 50;
/** Letters from which ids are looked for. */
const ID_MIN = 3;
/** Milliseconds after the last key. */
const TYPED_MS = 250;
const number = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });

export default function Traces() {
  const [query, change] = useQuery();
  const kind = KINDS.find(one => one === query["kind"]);
  const q = (query["q"] ?? "").length < ID_MIN ? undefined : query["q"];
  const filter = { ...(kind && { kind }), ...(q !== undefined && { q }) };
  const typing = useSignal<ReturnType<typeof setTimeout> | undefined>(undefined);
  const list = useResource(JSON.stringify(filter), signal => api.ops.traces({ ...filter, limit: PAGE }, { signal }), {
    keeps: true,
  });
  const more = async (): Promise<void> => {
    const { data } = list;
    const next = await api.ops.traces({ ...filter, limit: PAGE, cursor: data!.nextCursor! });
    list.set({ ...next, traces: [...data!.traces, ...next.traces] });
  };
  const type = (text: string): void => {
    clearTimeout(typing.value);
    typing.value = setTimeout(() => change({ q: text.trim() }, { replace: true }), TYPED_MS);
  };
  return (
    <div class="stack loose">
      <Head title="Traces" of={list} />
      <form class="filters" role="search" onSubmit={event => event.preventDefault()}>
        <Field
          label="Id of an order, a request or a trace"
          type="search"
          defaultValue={query["q"] ?? ""}
          onInput={({ currentTarget }) => type(currentTarget.value)}
        />
        <Select label="Kind" value={kind ?? ""} onChange={({ currentTarget }) => change({ kind: currentTarget.value })}>
          <option value="">failed or slow</option>
          {KINDS.map(one => (
            <option key={one}>{one}</option>
          ))}
        </Select>
      </form>
      <Loaded of={list}>
        {({ traces, off, silent, nextCursor }) => (
          <>
            {silent.length > 0 && <Partial silent={silent} onRetry={list.reload} />}
            {off && <Off {...off} />}
            {traces.length === 0 ? (
              <Empty
                title={q === undefined ? "Nothing has failed or was slow" : "No trace in memory has this id"}
                icon="pulse"
              >
                Each node keeps its latest 200 traces that failed or were slow, from its start on.
              </Empty>
            ) : (
              <Rows traces={traces} />
            )}
            {nextCursor !== undefined && <More key={nextCursor} onMore={more} />}
          </>
        )}
      </Loaded>
    </div>
  );
}

const Off = ({ nodes, how }: { readonly nodes: readonly string[]; readonly how: string }) => (
  <div class="notice warn">
    <div>
      <strong>Tracing is off on {new Intl.ListFormat("en").format(nodes)}.</strong>
      {how}
    </div>
  </div>
);

const Rows = ({ traces }: { readonly traces: readonly Trace[] }) => (
  <Table<Trace>
    label="Traces, the latest first"
    rows={traces}
    keyOf={({ id }) => id}
    columns={[
      { head: "Kind", cell: ({ kind }) => <Status tone={kind === "failed" ? "bad" : "warn"}>{kind}</Status> },
      { head: "What", cell: ({ id, name }) => <a href={traceAddress(id)}>{name}</a> },
      { head: "Took", align: "end", cell: ({ ms }) => `${number.format(ms)} ms` },
      { head: "When", cell: ({ at }) => <Time at={at} /> },
      { head: "Error", cell: ({ error }) => error ?? "–" },
      { head: "Nodes", cell: ({ nodes }) => nodes.join(", ") },
    ]}
  />
);
