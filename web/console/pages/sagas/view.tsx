// Sagas of all services: grouped by the reason for which they wait, and one by one. The filter is in the URL.
import { useSignal } from "@preact/signals";
import {
  Button,
  ButtonLink,
  Empty,
  Field,
  Loaded,
  Partial,
  queryOf,
  Select,
  Status,
  Table,
  Time,
  toast,
  useQuery,
  useResource,
} from "../../../kit/index.ts";
import { api } from "../../console.ts";
import { ActDialog, type Act } from "../../parts/act.tsx";
import { sagaAddress } from "../../parts/address.ts";
import { Export } from "../../parts/export.tsx";
import { News, useFresh } from "../../parts/fresh.tsx";
import { Head } from "../../parts/head.tsx";
import { More } from "../../parts/more.tsx";
import { mayAct } from "../../parts/rights.ts";
import { Job } from "./job.tsx";
import { AGES, filterOf, inWords, keyOf, STATES, toneOf, type Filter, type SagaGroup, type SagaRow } from "./model.ts";

const number = new Intl.NumberFormat();
const PAGE = 50;
/** Rows of one answer at most. */
const PAGE_MAX = 500;
type Page = { sagas: readonly SagaRow[]; silent: readonly string[]; nextCursor?: string };
type Counts = { counts: readonly SagaGroup[]; isPartial: boolean };

const pageOf = (
  filter: Filter,
  place: { readonly limit: number; readonly cursor?: string },
  signal?: AbortSignal,
): Promise<Page> => api.ops.sagas({ ...filter, ...place, detailed: true }, { signal }) as unknown as Promise<Page>;
const countsOf = ({ order: _order, ...filter }: Filter, signal?: AbortSignal): Promise<Counts> =>
  api.ops.sagaCounts(filter, { signal }) as unknown as Promise<Counts>;

const rowsOf = ({ sagas }: Page) =>
  sagas.map(({ id, state, reason, attempt, updatedAt }) => [id, `${state} ${reason} ${attempt} ${updatedAt}`] as const);
const groupsOf = ({ counts }: Counts) => counts.map(group => [keyOfGroup(group), `${group.sagas}`] as const);
const keyOfGroup = ({ service, saga, state, reason }: SagaGroup): string => [service, saga, state, reason].join(" ");

export default function Sagas() {
  const [query, change] = useQuery();
  const filter = filterOf(query);
  const key = JSON.stringify(filter);
  const list = useResource(key, signal => pageOf(filter, { limit: PAGE }, signal), { keeps: true });
  const counts = useResource(key, signal => countsOf(filter, signal), { keeps: true });
  const fresh = [
    useFresh(
      "sagas",
      list,
      ({ sagas }) => pageOf(filter, { limit: Math.min(PAGE_MAX, Math.max(PAGE, sagas.length)) }),
      rowsOf,
    ),
    useFresh("sagas", counts, () => countsOf(filter), groupsOf),
  ];
  const job = useSignal<string | undefined>(undefined);
  const reload = (): void => {
    list.reload();
    counts.reload();
  };
  const more = async (): Promise<void> => {
    const { data } = list;
    const next = await pageOf(filter, { limit: PAGE, cursor: data!.nextCursor! });
    list.set({ ...next, sagas: [...data!.sagas, ...next.sagas] });
  };
  return (
    <div class="stack loose">
      <Head title="Sagas" of={{ ...list, reload }}>
        <Export
          name="sagas"
          pages={(cursor, options) =>
            api.ops.sagas.answer({ ...filter, limit: PAGE_MAX, ...(cursor !== undefined && { cursor }) }, options)
          }
        />
      </Head>
      <Filters filter={filter} onChange={change} />
      <News of={fresh} />
      {job.value !== undefined && <Job id={job.value} onEnd={reload} />}
      <Loaded of={counts} skeleton={null}>
        {({ counts, isPartial }) => (
          <Groups groups={counts} isPartial={isPartial} filter={filter} onJob={id => (job.value = id)} />
        )}
      </Loaded>
      <Loaded of={list}>
        {({ sagas, silent, nextCursor }) => (
          <>
            {silent.length > 0 && <Partial silent={silent} onRetry={reload} />}
            {sagas.length === 0 ? (
              <None filter={filter} isPartial={nextCursor !== undefined} />
            ) : (
              <Rows sagas={sagas} busy={list.isLoading} />
            )}
            {nextCursor !== undefined && (
              <More key={nextCursor} onMore={more} label={sagas.length === 0 ? "Look further" : undefined} />
            )}
          </>
        )}
      </Loaded>
    </div>
  );
}

function Filters({
  filter: { state = "open", name = "", reason = "", olderThanMinutes, order },
  onChange,
}: {
  readonly filter: Filter;
  readonly onChange: ReturnType<typeof useQuery>[1];
}) {
  return (
    <form class="filters" role="search" aria-label="Narrow the sagas" onSubmit={event => event.preventDefault()}>
      <Select label="State" value={state} onChange={({ currentTarget }) => onChange({ state: currentTarget.value })}>
        {STATES.map(one => (
          <option key={one} value={one}>
            {one === "open" ? "open, of any kind" : one}
          </option>
        ))}
      </Select>
      <Field
        label="Name"
        value={name}
        placeholder="any"
        onChange={({ currentTarget }) => onChange({ name: currentTarget.value.trim() })}
      />
      <Field
        label="Reason"
        value={reason}
        placeholder="any"
        onChange={({ currentTarget }) => onChange({ reason: currentTarget.value.trim() })}
      />
      <Select
        label="Older than"
        value={olderThanMinutes ?? ""}
        onChange={({ currentTarget }) => onChange({ older: currentTarget.value })}
      >
        <option value="">any age</option>
        {AGES.map(([minutes, text]) => (
          <option key={minutes} value={minutes}>
            {text}
          </option>
        ))}
      </Select>
      <Select
        label="Order"
        value={order ?? ""}
        onChange={({ currentTarget }) => onChange({ order: currentTarget.value })}
      >
        <option value="">oldest first</option>
        <option value="newest">newest first</option>
      </Select>
    </form>
  );
}

/** By the reason for which they wait. A group of stuck ones is retried or taken back as a whole. */
function Groups({
  groups,
  isPartial,
  filter,
  onJob,
}: {
  readonly groups: readonly SagaGroup[];
  readonly isPartial: boolean;
  readonly filter: Filter;
  readonly onJob: (id: string) => void;
}) {
  const act = useSignal<Act | undefined>(undefined);
  if (groups.length === 0) return null;
  const stuck = groups.filter(({ state }) => state === "stuck");
  const ask = async (group: SagaGroup, operation: "retrySagas" | "compensateSagas"): Promise<void> => {
    const narrowed: Filter = {
      name: group.saga,
      ...(group.reason !== undefined && { reason: group.reason }),
      ...(filter.olderThanMinutes !== undefined && { olderThanMinutes: filter.olderThanMinutes }),
    };
    act.value = bulkOf(operation, narrowed, group.sagas, onJob);
  };
  return (
    <section class="stack tight" aria-label="By reason">
      <h2>By reason</h2>
      {isPartial && <p class="soft small">Counted among the oldest of each service: there are more.</p>}
      <Table<SagaGroup>
        label="Sagas by reason"
        rows={groups}
        keyOf={keyOfGroup}
        columns={[
          { head: "State", cell: ({ state }) => <Status tone={toneOf(state)}>{state}</Status> },
          {
            head: "Reason",
            cell: ({ saga, state, reason }) => (
              <a href={`/console/sagas${queryOf({}, { state, name: saga, reason })}`}>{reason ?? "none yet"}</a>
            ),
          },
          { head: "Saga", cell: ({ saga }) => saga },
          { head: "How many", align: "end", cell: ({ sagas }) => number.format(sagas) },
          { head: "Oldest", cell: ({ oldestStartedAt }) => <Time at={oldestStartedAt} /> },
          ...(mayAct() && stuck.length > 0
            ? [
                {
                  head: "What to do",
                  bare: true,
                  cell: (group: SagaGroup) =>
                    group.state === "stuck" && (
                      <div class="row">
                        <Button size="small" onClick={() => ask(group, "retrySagas")}>
                          Retry all
                        </Button>
                        <Button size="small" kind="danger" onClick={() => ask(group, "compensateSagas")}>
                          Take back all
                        </Button>
                      </div>
                    ),
                },
              ]
            : []),
        ]}
      />
      <ActDialog act={act.value} onClose={() => (act.value = undefined)} />
    </section>
  );
}

/** Restates filter and count: a filter that was lost on the way back would hit everything. */
function bulkOf(
  operation: "retrySagas" | "compensateSagas",
  filter: Filter,
  count: number,
  onJob: (id: string) => void,
): Act {
  const isRetry = operation === "retrySagas";
  const verb = isRetry ? "Retry" : "Take back";
  const { state: _, ...narrowed } = filter;
  return {
    title: `${verb} ${number.format(count)} sagas`,
    says: (
      <div class="stack tight">
        <p>
          All <strong>{inWords({ ...filter, state: "stuck" })}</strong>: {number.format(count)} when this page was read.
        </p>
        <p class="soft small">
          {isRetry
            ? "Each does its failed step again. It is done in the background, oldest first; this page shows how far it is."
            : "Each undoes the steps that it has done, in reverse. Sagas past their point of no return are left as they are."}
        </p>
        <DryRun operation={operation} filter={narrowed} />
      </div>
    ),
    button: `${verb} them`,
    kind: isRetry ? "primary" : "danger",
    async run(note) {
      const { id } = (await api.ops.startJob({ operation, ...narrowed, note })) as { id: string };
      onJob(id);
      toast(`${verb} ${number.format(count)} sagas: begun.`);
    },
  };
}

/** What it would do, before it does it. */
function DryRun({
  operation,
  filter,
}: {
  readonly operation: "retrySagas" | "compensateSagas";
  readonly filter: Omit<Filter, "state">;
}) {
  const tried = useResource(JSON.stringify(filter), signal =>
    api.ops[operation]({ ...filter, note: "dry run", dryRun: true, limit: 500 }, { signal }),
  );
  return (
    <Loaded of={tried} skeleton={<p class="soft small">Trying it without doing it…</p>}>
      {({ sagas, refused, hasMore }) => (
        <p class="small">
          Tried without doing it: {number.format(sagas)}
          {hasMore && " or more"} would be sent on
          {refused.length > 0 && `, and some refused: ${refused.map(({ type }) => String(type)).join(", ")}`}.
        </p>
      )}
    </Loaded>
  );
}

const Rows = ({ sagas, busy }: { readonly sagas: readonly SagaRow[]; readonly busy: boolean }) => (
  <Table<SagaRow>
    label="Sagas"
    rows={sagas}
    busy={busy}
    keyOf={({ id }) => id}
    columns={[
      { head: "State", cell: ({ state }) => <Status tone={toneOf(state)}>{state}</Status> },
      {
        head: "Saga",
        cell: row => (
          <a href={sagaAddress(row.id)}>
            {row.saga} <code>{keyOf(row)}</code>
          </a>
        ),
      },
      { head: "Where it stands", cell: ({ step, reason }) => step ?? reason ?? "–" },
      { head: "Attempt", align: "end", cell: ({ attempt }) => (attempt === undefined ? "–" : number.format(attempt)) },
      { head: "Started", cell: ({ startedAt }) => <Time at={startedAt} /> },
      { head: "Changed", cell: ({ updatedAt }) => <Time at={updatedAt} /> },
    ]}
  />
);

const None = ({ filter, isPartial }: { readonly filter: Filter; readonly isPartial: boolean }) => {
  const isNarrowed = filter.name !== undefined || filter.reason !== undefined || filter.olderThanMinutes !== undefined;
  return (
    <Empty
      title={isNarrowed ? "No saga matches" : `No ${filter.state ?? "open"} sagas`}
      icon={isNarrowed ? "search" : "check"}
      action={
        isNarrowed && (
          <ButtonLink href={`/console/sagas${queryOf({}, { state: filter.state })}`}>Show all of this state</ButtonLink>
        )
      }
    >
      {isPartial
        ? `There are no ${inWords(filter)} among those that were looked at so far.`
        : isNarrowed
          ? `There are no ${inWords(filter)}.`
          : filter.state === "completed" || filter.state === "compensated"
            ? "None has come so far yet."
            : "All that was begun has ended. Choose a state above to see those."}
    </Empty>
  );
};
