// Read models: how far each is behind, and a rebuild under a bar.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import {
  Button,
  Empty,
  Loaded,
  Partial,
  queryOf,
  Status,
  Table,
  Time,
  toast,
  useResource,
  type Tone,
} from "../../../kit/index.ts";
import { api } from "../../console.ts";
import { ActDialog, type Act } from "../../parts/act.tsx";
import { News, useFresh } from "../../parts/fresh.tsx";
import { Head } from "../../parts/head.tsx";
import { mayAct } from "../../parts/rights.ts";
import { consumerOf, inOrder, isBuilding, lagOf, shareOf, type Lag, type Projection } from "./model.ts";

/** Milliseconds between two looks while something is rebuilt. */
const LOOK_MS = 1_000;
const number = new Intl.NumberFormat();
const TONES: Readonly<Record<string, Tone>> = { live: "good", following: "good", off: "idle" };
const toneOf = (state: string): Tone => TONES[state] ?? (state === "stopped" || state === "failed" ? "bad" : "busy");

interface Page {
  readonly projections: readonly Projection[];
  readonly silent?: readonly string[];
}
interface Lags {
  readonly lag: readonly Lag[];
  readonly silent: readonly string[];
}
const read = (signal?: AbortSignal): Promise<Page> =>
  api.ops.projections({ limit: 500 }, { signal }) as unknown as Promise<Page>;
/** In an order that stays: the slowest first would move the rows at each look. */
async function readLag(signal?: AbortSignal): Promise<Lags> {
  const { lag, ...rest } = (await api.ops.lag({ limit: 500 }, { signal })) as unknown as Lags;
  return { ...rest, lag: inOrder(lag) };
}
const keyOf = ({ service, name, version, build }: Projection): string => [service, name, version, build].join(" ");
const keyOfLag = ({ kind, service, name }: Lag): string => `${kind} ${service} ${name}`;

export default function Projections() {
  const list = useResource("projections", read, { keeps: true });
  const lag = useResource("lag", readLag, { keeps: true });
  const fresh = [
    useFresh(
      "projections",
      list,
      () => read(),
      ({ projections }) => projections.map(one => [keyOf(one), ""] as const),
    ),
    useFresh(
      "projections",
      lag,
      () => readLag(),
      ({ lag }) => lag.map(one => [keyOfLag(one), ""] as const),
    ),
  ];
  const act = useSignal<Act | undefined>(undefined);
  const isRebuilt = list.data?.projections.some(isBuilding) ?? false;
  useEffect(() => {
    if (!isRebuilt) return undefined;
    const timer = setInterval(list.reload, LOOK_MS);
    return () => clearInterval(timer);
  }, [isRebuilt]);
  const reload = (): void => {
    list.reload();
    lag.reload();
  };
  return (
    <div class="stack loose">
      <Head title="Projections" of={{ ...list, reload }} />
      <News of={fresh} />
      <Loaded of={list}>
        {({ projections, silent = [] }) => (
          <>
            {silent.length > 0 && <Partial silent={silent} onRetry={reload} />}
            {projections.length === 0 ? (
              <Empty title="No projections" icon="layers">
                No service that runs has a read model.
              </Empty>
            ) : (
              <Rows projections={projections} onRebuild={one => (act.value = rebuilding(one, list.reload))} />
            )}
          </>
        )}
      </Loaded>
      <Loaded of={lag} skeleton={null}>
        {({ lag, silent }) => (
          <>
            {silent.length > 0 && list.data?.silent?.length === 0 && <Partial silent={silent} onRetry={reload} />}
            <Readers lag={lag} />
          </>
        )}
      </Loaded>
      <ActDialog act={act.value} onClose={() => (act.value = undefined)} />
    </div>
  );
}

const Rows = ({
  projections,
  onRebuild,
}: {
  readonly projections: readonly Projection[];
  readonly onRebuild: (projection: Projection) => void;
}) => (
  <Table<Projection>
    label="Projections"
    rows={projections}
    keyOf={keyOf}
    columns={[
      {
        head: "Projection",
        cell: ({ name, version, build }) => (
          <>
            <strong>{name}</strong>{" "}
            <span class="soft">
              version {version}
              {build > 1 && `, build ${build}`}
            </span>
          </>
        ),
      },
      { head: "Service", cell: ({ service }) => service },
      {
        head: "State",
        cell: projection => (
          <div class="stack tight">
            <Status tone={projection.stopped ? "bad" : toneOf(projection.state)}>
              {projection.stopped ? "stopped" : projection.state}
            </Status>
            <Trouble of={projection} />
            {isBuilding(projection) && (
              <progress max={100} value={shareOf(projection)} aria-label={`Rebuild of ${projection.name}`} />
            )}
          </div>
        ),
      },
      { head: "Behind", align: "end", cell: ({ lagEvents }) => lagOf(lagEvents) },
      {
        head: "Parked streams",
        align: "end",
        cell: projection => <Parked service={projection.service} consumer={consumerOf(projection)} of={projection} />,
      },
      { head: "Events taken", align: "end", cell: ({ events }) => number.format(events) },
      ...(mayAct()
        ? [
            {
              head: "What to do",
              bare: true,
              cell: (projection: Projection) =>
                !isBuilding(projection) && (
                  <Button size="small" onClick={() => onRebuild(projection)}>
                    Rebuild
                  </Button>
                ),
            },
          ]
        : []),
    ]}
  />
);

/** Why a build does not go on, or will not become live. */
const Trouble = ({ of: { stopped, blockedBy = [] } }: { readonly of: Projection }) => (
  <>
    {stopped?.map(({ source, since, reason }) => (
      <p key={source} class="failed">
        It reads {source} no further
        {since !== undefined && (
          <>
            {" "}
            since <Time at={since} />
          </>
        )}
        {reason !== undefined && `: ${reason}`}. Rebuild it.
      </p>
    ))}
    {blockedBy.length > 0 && (
      <p class="failed">
        It cannot become live: <a href="/console/letters">{blockedBy.length} streams failed in it</a>, the first{" "}
        <code>{blockedBy[0]}</code>.
      </p>
    )}
  </>
);

const rebuilding = ({ name, service, events }: Projection, reload: () => void): Act => ({
  title: `Rebuild ${name}`,
  says: (
    <p>
      Its rows are made anew from the log of {number.format(events)} events, beside the old ones, which serve until the
      new ones have caught up. {service} works more meanwhile.
    </p>
  ),
  button: `Rebuild ${name}`,
  command: `rebuild ${name}`,
  async run(note) {
    await api.ops.rebuild({ name, note });
    toast(`${name} is being rebuilt.`);
    reload();
    setTimeout(reload, LOOK_MS);
  },
});

/** How many streams stand still, and the letters that they stand behind. */
const Parked = ({
  service,
  consumer,
  of: { parkedStreams = 0 },
}: {
  readonly service: string;
  readonly consumer: string;
  readonly of: { readonly parkedStreams?: number };
}) =>
  parkedStreams === 0 ? (
    <>0</>
  ) : (
    <a href={`/console/letters${queryOf({}, { service, consumer })}`}>{number.format(parkedStreams)}</a>
  );

const Readers = ({ lag }: { readonly lag: readonly Lag[] }) => (
  <section class="stack tight" aria-label="Readers of logs">
    <h2>Readers of logs</h2>
    <Table<Lag>
      label="How far each reader is behind"
      rows={lag}
      keyOf={keyOfLag}
      columns={[
        {
          head: "Reader",
          cell: ({ name, kind }) => (
            <>
              {name} <span class="soft">{kind}</span>
            </>
          ),
        },
        { head: "Service", cell: ({ service }) => service },
        { head: "State", cell: ({ state }) => <Status tone={toneOf(state)}>{state}</Status> },
        { head: "Behind", align: "end", cell: ({ lagEvents }) => lagOf(lagEvents) },
        {
          head: "Parked streams",
          align: "end",
          cell: reader => <Parked service={reader.service} consumer={reader.name} of={reader} />,
        },
      ]}
    />
  </section>
);
