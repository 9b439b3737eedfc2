// Read models: how far each is behind, and a rebuild under a bar.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Button, Empty, Loaded, Partial, Status, Table, toast, useResource, type Tone } from "../../../kit/index.ts";
import { api } from "../../console.ts";
import { ActDialog, type Act } from "../../parts/act.tsx";
import { Head } from "../../parts/head.tsx";
import { mayAct } from "../../parts/rights.ts";
import { isBuilding, lagOf, shareOf, type Lag, type Projection } from "./model.ts";

/** Milliseconds between two looks while something is rebuilt. */
const LOOK_MS = 1_000;
const number = new Intl.NumberFormat();
const TONES: Readonly<Record<string, Tone>> = { live: "good", following: "good", off: "idle" };
const toneOf = (state: string): Tone => TONES[state] ?? (state === "stopped" || state === "failed" ? "bad" : "busy");

export default function Projections() {
  const list = useResource(
    "projections",
    signal =>
      api.ops.projections({ limit: 500 }, { signal }) as unknown as Promise<{
        projections: readonly Projection[];
        silent?: readonly string[];
      }>,
    { keeps: true },
  );
  const lag = useResource(
    "lag",
    signal =>
      api.ops.lag({ limit: 500 }, { signal }) as unknown as Promise<{ lag: readonly Lag[]; silent: readonly string[] }>,
    { keeps: true },
  );
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
        {({ lag }) => <Readers lag={lag} />}
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
    keyOf={({ service, name }) => `${service} ${name}`}
    columns={[
      {
        head: "Projection",
        cell: ({ name, version }) => (
          <>
            <strong>{name}</strong> <span class="soft">version {version}</span>
          </>
        ),
      },
      { head: "Service", cell: ({ service }) => service },
      {
        head: "State",
        cell: projection => (
          <div class="stack tight">
            <Status tone={toneOf(projection.state)}>{projection.state}</Status>
            {isBuilding(projection) && (
              <progress max={100} value={shareOf(projection)} aria-label={`Rebuild of ${projection.name}`} />
            )}
          </div>
        ),
      },
      { head: "Behind", align: "end", cell: ({ lagEvents }) => lagOf(lagEvents) },
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

const rebuilding = ({ name, service, events }: Projection, reload: () => void): Act => ({
  title: `Rebuild ${name}`,
  says: (
    <p>
      Its rows are made anew from the log of {number.format(events)} events, beside the old ones, which serve until the
      new ones have caught up. {service} works more meanwhile.
    </p>
  ),
  button: `Rebuild ${name}`,
  async run(note) {
    await api.ops.rebuild({ name, note });
    toast(`${name} is being rebuilt.`);
    reload();
    setTimeout(reload, LOOK_MS);
  },
});

const Readers = ({ lag }: { readonly lag: readonly Lag[] }) => (
  <section class="stack tight" aria-label="Readers of logs">
    <h2>Readers of logs</h2>
    <Table<Lag>
      label="How far each reader is behind"
      rows={lag}
      keyOf={({ kind, service, name }) => `${kind} ${service} ${name}`}
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
          cell: ({ service, name, parkedStreams = 0 }) =>
            parkedStreams > 0 ? (
              <a href={`/console/letters?service=${encodeURIComponent(service)}&consumer=${encodeURIComponent(name)}`}>
                {number.format(parkedStreams)}
              </a>
            ) : (
              "0"
            ),
        },
      ]}
    />
  </section>
);
