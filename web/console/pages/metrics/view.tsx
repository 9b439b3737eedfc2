// How busy the shop is, over the last quarter of an hour. The nodes are looked at while somebody looks here, and no longer.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Button, ButtonLink, Empty, Loaded, Select, Table, Time, useQuery, useResource } from "../../../kit/index.ts";
import { api } from "../../console.ts";
import { Head } from "../../parts/head.tsx";
import { CHARTS, HEIGHT, pathOf, topOf, WIDTH, within, type Chart, type Point } from "./model.ts";

const RANGES = [15, 5, 1] as const;
const CLASSES = ["one", "two", "three"] as const;
const number = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
/** Milliseconds between two readings. */
const READ_MS = 5_000;

export default function Metrics() {
  const [query, change] = useQuery();
  const minutes = RANGES.find(range => `${range}` === query["minutes"]) ?? RANGES[0];
  const isPaused = useSignal(false);
  const metrics = useResource("metrics", signal => api.ops.metrics({}, { signal }), { keeps: true });
  useEffect(() => {
    if (isPaused.value) return undefined;
    const timer = setInterval(() => document.visibilityState === "visible" && metrics.reload(), READ_MS);
    return () => clearInterval(timer);
  }, [isPaused.value]);
  return (
    <div class="stack loose">
      <Head title="Metrics" of={metrics}>
        <Button size="small" onClick={() => (isPaused.value = !isPaused.value)}>
          {isPaused.value ? "Go on reading" : "Pause"}
        </Button>
        {metrics.data?.dashboards !== undefined && (
          <ButtonLink size="small" href={metrics.data.dashboards}>
            Dashboards
          </ButtonLink>
        )}
      </Head>
      <div class="filters">
        <Select
          label="The last"
          value={minutes}
          onChange={({ currentTarget }) => change({ minutes: currentTarget.value })}
        >
          {RANGES.map(range => (
            <option key={range} value={range}>
              {range === 1 ? "minute" : `${range} minutes`}
            </option>
          ))}
        </Select>
      </div>
      <Loaded of={metrics}>
        {({ points, everySeconds }) => <Charts points={points} everySeconds={everySeconds} minutes={minutes} />}
      </Loaded>
    </div>
  );
}

function Charts({
  points,
  everySeconds,
  minutes,
}: {
  readonly points: readonly Point[];
  readonly everySeconds: number;
  readonly minutes: number;
}) {
  const to = points.length === 0 ? 0 : Date.parse(points.at(-1)!.at);
  const shown = within(points, minutes, to);
  if (shown.length < 2)
    return (
      <Empty title="The first figures are on their way" icon="chart">
        The nodes are looked at while somebody is here: every {everySeconds} seconds from now on.
      </Empty>
    );
  return (
    <>
      <div class="charts">
        {CHARTS.map(chart => (
          <Drawn
            key={chart.title}
            {...{ chart, points: shown, everySeconds }}
            from={Date.parse(shown[0]!.at)}
            to={to}
          />
        ))}
      </div>
      <details>
        <summary>All of it as a table</summary>
        <Figures points={shown} />
      </details>
      <p class="soft small">
        What operators ask for here is not counted. For longer times and single nodes there are dashboards.
      </p>
    </>
  );
}

function Drawn({
  chart: { title, unit, lines },
  points,
  everySeconds,
  from,
  to,
}: {
  readonly chart: Chart;
  readonly points: readonly Point[];
  readonly everySeconds: number;
  readonly from: number;
  readonly to: number;
}) {
  const top = topOf(points, lines);
  const last = points.at(-1)!;
  return (
    <section class="card stack tight chart" aria-label={title}>
      <div class="row ends baseline">
        <h2>{title}</h2>
        <span class="soft small number">
          {unit}, up to {number.format(top)}
        </span>
      </div>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
        {lines.map(({ figure }, n) => (
          <path key={figure} class={CLASSES[n]} d={pathOf(points, figure, { from, to, top, everySeconds })} />
        ))}
      </svg>
      <div class="row ends soft small">
        <Time at={new Date(from).toISOString()} />
        <Time at={last.at} />
      </div>
      <ul class="row legend">
        {lines.map(({ name, figure }, n) => (
          <li key={figure} class="row">
            <svg viewBox="0 0 24 8" aria-hidden="true">
              <path class={CLASSES[n]} d="M0 4H24" />
            </svg>
            {name}: <strong class="number">{last[figure] === undefined ? "–" : number.format(last[figure])}</strong>
          </li>
        ))}
      </ul>
    </section>
  );
}

const FIGURES = CHARTS.flatMap(({ title, lines }) =>
  lines.map(({ name, figure }) => ({ head: `${title}: ${name}`, figure })),
);

const Figures = ({ points }: { readonly points: readonly Point[] }) => (
  <Table<Point>
    label="Figures, the newest first"
    rows={points.toReversed()}
    keyOf={({ at }) => at}
    columns={[
      { head: "When", cell: ({ at }) => <Time at={at} shows="exact" /> },
      ...FIGURES.map(({ head, figure }) => ({
        head,
        align: "end" as const,
        cell: (point: Point) => (point[figure] === undefined ? "–" : number.format(point[figure])),
      })),
    ]}
  />
);
