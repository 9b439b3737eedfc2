// How busy the shop is now, in a few numbers with a line each. They come behind what needs a person, and say nothing if they fail.
import { useEffect } from "preact/hooks";
import { useResource } from "../../../kit/index.ts";
import { api } from "../../console.ts";
import { HEIGHT, pathOf, topOf, WIDTH, within, type Line, type Point } from "../metrics/model.ts";

/** Milliseconds between two readings. */
const READ_MS = 10_000;
/** Minutes that a line shows. */
const MINUTES = 15;
const number = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });

const TILES: readonly (Line & { readonly unit: string })[] = [
  { name: "Requests", figure: "requestsPerSecond", unit: "a second" },
  { name: "Failed", figure: "failuresPerSecond", unit: "a second" },
  { name: "99 % within", figure: "p99Ms", unit: "ms" },
  { name: "Commands", figure: "commandsPerSecond", unit: "a second" },
  { name: "Behind", figure: "lagEvents", unit: "events" },
];

export default function Figures() {
  const metrics = useResource("metrics", signal => api.ops.metrics({}, { signal }), { keeps: true });
  useEffect(() => {
    const timer = setInterval(() => document.visibilityState === "visible" && metrics.reload(), READ_MS);
    return () => clearInterval(timer);
  }, []);
  const { points = [], everySeconds = 5 } = metrics.data ?? {};
  return (
    <section class="stack tight" aria-label="How busy the shop is">
      <div class="row ends baseline">
        <h2>The last {MINUTES} minutes</h2>
        <a class="small" href="/console/metrics">
          All metrics
        </a>
      </div>
      <dl class="tiles">
        {TILES.map(tile => (
          <Tile key={tile.name} tile={tile} points={points} everySeconds={everySeconds} />
        ))}
      </dl>
    </section>
  );
}

function Tile({
  tile,
  points,
  everySeconds,
}: {
  readonly tile: (typeof TILES)[number];
  readonly points: readonly Point[];
  readonly everySeconds: number;
}) {
  const { name, figure, unit } = tile;
  const last = points.at(-1);
  const to = last === undefined ? 0 : Date.parse(last.at);
  const shown = within(points, MINUTES, to);
  const scale = { from: to - MINUTES * 60_000, to, top: topOf(shown, [tile]), everySeconds };
  return (
    <div class="card tile">
      <dt class="soft small">{name}</dt>
      <dd>
        <strong class="number">{last?.[figure] === undefined ? "–" : number.format(last[figure])}</strong>
        <span class="soft small">{unit}</span>
        <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
          <path d={pathOf(shown, figure, scale)} />
        </svg>
      </dd>
    </div>
  );
}
