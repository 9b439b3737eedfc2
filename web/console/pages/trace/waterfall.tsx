import { Status } from "../../../kit/index.ts";
import { barsOf, SCALE, type Span } from "./waterfall.ts";

const number = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
/** Steps to the right that are drawn: deeper ones stand below the last. */
const DEPTH_MAX = 6;

/** Rows of text with a bar each; a reader of the text has all that the bars say. */
export const Waterfall = ({ spans }: { readonly spans: readonly Span[] }) => (
  <ol class="waterfall">
    {barsOf(spans).map(({ span, depth, from, width, gapMs }) => (
      <li key={span.id} class={`depth${Math.min(depth, DEPTH_MAX)}`}>
        {gapMs !== undefined && <p class="soft small gap">Nothing ran for {number.format(gapMs)} ms</p>}
        <div class="row ends">
          <span>
            <strong>{span.name}</strong> <span class="soft small">{span.node}</span>{" "}
            {span.failed && <Status tone="bad">failed</Status>}
          </span>
          <span class="small number">
            {number.format(span.ms)} ms, after {number.format(span.offsetMs)} ms
          </span>
        </div>
        {span.error !== undefined && <p class="failed">{span.error}</p>}
        <svg viewBox={`0 0 ${SCALE} 8`} preserveAspectRatio="none" aria-hidden="true">
          <rect class={span.failed ? "failing" : "going"} x={from} width={Math.min(width, SCALE - from)} height={8} />
        </svg>
      </li>
    ))}
  </ol>
);
