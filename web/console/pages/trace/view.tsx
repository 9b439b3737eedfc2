// All that carries a trace's id: its events in the order of their time, its sagas, and what was left lying.
import { ButtonLink, Empty, Loaded, Partial, Status, Table, Time, useResource } from "../../../kit/index.ts";
import type { AnswerOf } from "../../../../client/index.ts";
import { api } from "../../console.ts";
import { sagaAddress } from "../../parts/address.ts";
import { Head } from "../../parts/head.tsx";
import { Waterfall } from "./waterfall.tsx";
import { GAP_MS, rowsOf, type Row, type TracedEvent } from "./model.ts";

type Found = AnswerOf<typeof api.ops.trace>;
const number = new Intl.NumberFormat();

export default function Trace({ id }: { readonly id: string }) {
  const trace = useResource(id, signal => api.ops.trace({ id }, { signal }));
  const spans = useResource(`spans ${id}`, signal => api.ops.traceSpans({ id }, { signal }));
  return (
    <div class="stack loose">
      <Head title="Trace" of={trace}>
        {spans.data?.link !== undefined && (
          <ButtonLink size="small" href={spans.data.link}>
            In the tracing backend
          </ButtonLink>
        )}
      </Head>
      <p>
        <code>{id}</code>
      </p>
      <Loaded of={spans} skeleton={null}>
        {({ spans, off }) => (
          <section class="stack tight" aria-label="Spans">
            <h2>Spans</h2>
            {spans.length > 0 ? (
              <Waterfall spans={spans} />
            ) : (
              <p class="soft">
                {off?.how ??
                  "No node has it in memory: it was quick and nothing failed, or it is older than the latest 200."}
              </p>
            )}
          </section>
        )}
      </Loaded>
      <Loaded of={trace}>
        {found => (
          <>
            {found.silent.length > 0 && <Partial silent={found.silent} onRetry={trace.reload} />}
            {isNothing(found) ? (
              <Empty title="Nothing carries this trace" icon="search">
                The newest part of each log was searched. What is older is found by the audit, or by the tracing
                backend. A trace that was not sampled leaves no events with its id.
              </Empty>
            ) : (
              <Parts found={found} />
            )}
          </>
        )}
      </Loaded>
    </div>
  );
}

const isNothing = ({ events, sagas, deadLetters }: Found): boolean =>
  events.length + sagas.length + deadLetters.length === 0;

const Parts = ({ found: { events, sagas, deadLetters, hasMore } }: { readonly found: Found }) => (
  <>
    {sagas.length > 0 && (
      <section class="stack tight" aria-label="Sagas">
        <h2>Sagas</h2>
        <ul class="stack tight">
          {sagas.map(({ id }) => (
            <li key={String(id)}>
              <a href={sagaAddress(String(id))}>
                <code>{String(id)}</code>
              </a>
            </li>
          ))}
        </ul>
      </section>
    )}
    {deadLetters.length > 0 && (
      <p>
        <Status tone="bad">{number.format(deadLetters.length)} dead letters</Status>{" "}
        <a href="/console/letters">See the dead letters</a>
      </p>
    )}
    <section class="stack tight" aria-label="Events">
      <h2>Events</h2>
      {hasMore && <p class="soft small">There are more than are shown.</p>}
      <Table<Row>
        label="Events of the trace"
        rows={rowsOf(events as unknown as TracedEvent[])}
        keyOf={({ service, stream, version }) => `${service} ${stream} ${version}`}
        columns={[
          { head: "After", align: "end", cell: ({ offsetMs }) => `${number.format(offsetMs)} ms` },
          {
            head: "Pause before",
            align: "end",
            cell: ({ sinceMs }) =>
              sinceMs >= GAP_MS ? <Status tone="warn">{number.format(sinceMs)} ms</Status> : `${sinceMs} ms`,
          },
          { head: "Event", cell: ({ type }) => <strong>{type}</strong> },
          { head: "Service", cell: ({ service }) => service },
          { head: "Stream", cell: ({ stream, version }) => <code>{`${stream}, version ${version}`}</code> },
          { head: "When", cell: ({ at }) => <Time at={at} /> },
        ]}
      />
    </section>
  </>
);
