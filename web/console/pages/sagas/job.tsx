// A job that sends on many sagas: how far it is, and what refused.
import { useEffect } from "preact/hooks";
import { Button, Loaded, useResource } from "../../../kit/index.ts";
import { api } from "../../console.ts";

interface JobState {
  readonly id: string;
  readonly state: string;
  readonly done: number;
  readonly total?: number;
  readonly sentOn: number;
  readonly trouble?: string;
  readonly refused?: readonly { readonly type: string; readonly sagas: number }[];
}

/** Milliseconds between two looks. */
const LOOK_MS = 1_000;
const number = new Intl.NumberFormat();

export function Job({ id, onEnd }: { readonly id: string; readonly onEnd: () => void }) {
  const job = useResource(id, signal => api.ops.job({ id }, { signal }) as unknown as Promise<JobState>, {
    keeps: true,
  });
  const isRunning = job.data === undefined || job.data.state === "running";
  useEffect(() => {
    if (!isRunning) return onEnd();
    const timer = setInterval(job.reload, LOOK_MS);
    return () => clearInterval(timer);
  }, [isRunning]);
  return (
    <section class="card stack tight" aria-label="Job" aria-live="polite">
      <Loaded of={job}>
        {({ state, done, total, sentOn, trouble, refused = [] }) => (
          <>
            <div class="row ends">
              <h2>{state === "running" ? "Sending them on" : `The job has ended: ${state}`}</h2>
              {state === "running" && (
                <Button size="small" onClick={() => api.ops.stopJob({ id })}>
                  Stop the job
                </Button>
              )}
            </div>
            <progress max={total ?? Math.max(1, done)} value={done} aria-label="Sagas looked at" />
            <p class="small">
              {number.format(done)} {total !== undefined && `of ${number.format(total)}`} looked at,{" "}
              {number.format(sentOn)} sent on.
            </p>
            {refused.map(({ type, sagas }) => (
              <p key={type} class="small">
                {number.format(sagas)} refused with <code>{type}</code>.
              </p>
            ))}
            {trouble !== undefined && <p class="small">{trouble}</p>}
          </>
        )}
      </Loaded>
    </section>
  );
}
