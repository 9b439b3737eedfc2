// One saga: where it stands and what to do about it, its steps forward and back, what each was asked and has answered, and where to
// look further.
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useLocation } from "preact-iso";
import { useEffect } from "preact/hooks";
import { Button, Check, Empty, Loaded, Status, Time, toast, useResource } from "../../../kit/index.ts";
import { api } from "../../console.ts";
import { ActDialog, type Act } from "../../parts/act.tsx";
import { actorAddress, traceAddress } from "../../parts/address.ts";
import { Head } from "../../parts/head.tsx";
import { onTopic } from "../../parts/live.ts";
import { Json } from "../../parts/json.tsx";
import { mayAct } from "../../parts/rights.ts";
import { toneOf as toneOfState } from "../sagas/model.ts";
import {
  callOf,
  duration,
  failureOf,
  progressOf,
  toneOf,
  wordOf,
  type LaneStep,
  type SagaDetail,
  type StepCall,
} from "./model.ts";

export default function Saga({ id }: { readonly id: string }) {
  const saga = useResource(id, signal => api.ops.saga({ id }, { signal }) as unknown as Promise<SagaDetail>);
  const { route } = useLocation();
  // One thing, and no list: it may change where it stands.
  useEffect(() => onTopic("sagas", saga.reload), [saga.reload]);
  if (saga.error?.code === "SAGA_NOT_FOUND")
    return (
      <div class="stack loose">
        <Head title="Saga" />
        <Empty
          title="There is no such saga"
          icon="search"
          action={<Button onClick={() => route("/console/sagas")}>To the sagas</Button>}
        >
          No service has a saga with the id <code>{id}</code>. It may be archived, or mistyped.
        </Empty>
      </div>
    );
  return (
    <div class="stack loose">
      <Head title="Saga" of={saga} />
      <Loaded of={saga}>{detail => <Detail saga={detail} reload={saga.reload} />}</Loaded>
    </div>
  );
}

function Detail({ saga, reload }: { readonly saga: SagaDetail; readonly reload: () => void }) {
  return (
    <>
      <Standing saga={saga} reload={reload} />
      <section class="stack" aria-label="Steps">
        <h2>Steps</h2>
        <div class="lanes">
          <Lane title="Forward" steps={saga.lanes.forward} calls={saga.steps} />
          {saga.lanes.back.length > 0 && <Lane title="Back" steps={saga.lanes.back} calls={[]} />}
        </div>
      </section>
      <Notes saga={saga} />
      <Further saga={saga} />
    </>
  );
}

/** The answer to "what is wrong, and what do I do?", and the buttons that do it. */
function Standing({ saga, reload }: { readonly saga: SagaDetail; readonly reload: () => void }) {
  const act = useSignal<Act | undefined>(undefined);
  const { retry, compensate } = saga.can;
  const failure = failureOf(saga);
  const ask = (one: Act): void => void (act.value = one);
  return (
    <section class={`card stack standing ${saga.state}`} aria-label="Where it stands">
      <div class="row">
        <Status tone={toneOfState(saga.state)}>{saga.state}</Status>
        <code>{saga.id}</code>
      </div>
      <p class="says">
        <InCode text={saga.says} />
      </p>
      <dl class="facts">
        {failure?.error && saga.state !== "completed" && (
          <Fact name="What failed">
            <code>{failure.action}</code> with <code>{failure.error.type}</code>
          </Fact>
        )}
        <Fact name="Next">
          {saga.next.by === "nobody" ? "nothing" : `${saga.next.does}, by ${saga.next.by}`}
          {saga.next.at !== undefined && (
            <>
              {" "}
              <Time at={saga.next.at} />
            </>
          )}
        </Fact>
        {saga.about && (
          <Fact name="About">
            <a href={actorAddress(saga.about)}>
              {saga.about.type} <code>{saga.about.id}</code>
            </a>
          </Fact>
        )}
        {saga.owner !== undefined && (
          <Fact name="Driven by">
            <code>{saga.owner}</code>
          </Fact>
        )}
        <Fact name="Started">
          <Time at={saga.startedAt} />
        </Fact>
        <Fact name="Changed">
          <Time at={saga.updatedAt} />
        </Fact>
      </dl>
      {mayAct() && (
        <div class="row">
          {retry.isPossible && (
            <Button kind="primary" onClick={() => ask(retrying(saga, reload))}>
              Retry this saga
            </Button>
          )}
          {compensate.isPossible && (
            <Button kind="danger" onClick={() => ask(compensating(saga, reload))}>
              Take this saga back
            </Button>
          )}
          <Button onClick={() => ask(noting(saga, reload))}>Add a note</Button>
        </div>
      )}
      {mayAct() && saga.state !== "completed" && saga.state !== "compensated" && <WhyNot saga={saga} />}
      <ActDialog act={act.value} onClose={() => (act.value = undefined)} />
    </section>
  );
}

/** Text of the API, with what it names in backticks as code. */
const InCode = ({ text }: { readonly text: string }) => (
  <>{text.split("`").map((part, n) => (n % 2 === 1 ? <code key={n}>{part}</code> : part))}</>
);

const Fact = ({ name, children }: { readonly name: string; readonly children: ComponentChildren }) => (
  <div>
    <dt>{name}</dt>
    <dd>{children}</dd>
  </div>
);

/** In place of a button that is not there. */
function WhyNot({ saga: { can } }: { readonly saga: SagaDetail }) {
  const reasons = [
    !can.retry.isPossible && can.retry.message && `Not to be retried: ${can.retry.message}.`,
    !can.compensate.isPossible && can.compensate.message && `Not to be taken back: ${can.compensate.message}.`,
  ].filter(Boolean);
  return reasons.length === 0 ? null : <p class="soft small">{reasons.join(" ")}</p>;
}

const retrying = ({ id, steps }: SagaDetail, reload: () => void): Act => ({
  title: "Retry this saga",
  says: (
    <p>
      It does <strong>{failureOf({ steps })?.step ?? "its present step"}</strong> again, and goes on from there. Mend
      the cause first: otherwise it fails once more.
    </p>
  ),
  button: "Retry this saga",
  command: `saga ${id} retry`,
  async run(note) {
    await api.ops.retrySaga({ id, note });
    toast("The saga goes on.");
    reloadSoon(reload);
  },
});

function compensating(saga: SagaDetail, reload: () => void): Act {
  const isForced = saga.can.compensate.needsPastPivot === true;
  const pastPivot = { isMeant: !isForced };
  return {
    title: "Take this saga back",
    says: (
      <div class="stack tight">
        <p>It undoes what it has done, in reverse: {undone(saga) || "there is nothing to undo"}.</p>
        {isForced && (
          <>
            <p>
              <strong>It is past its point of no return.</strong> What came after it was told to the world, and may not
              be undone.
            </p>
            <Check
              label="I know, take it back"
              onChange={({ currentTarget }) => (pastPivot.isMeant = currentTarget.checked)}
            />
          </>
        )}
      </div>
    ),
    button: "Take this saga back",
    kind: "danger",
    command: `saga ${saga.id} compensate${isForced ? " --past-pivot" : ""}`,
    async run(note) {
      if (!pastPivot.isMeant) throw new Error("Tick the box above first: it is past its point of no return.");
      await api.ops.compensateSaga({ id: saga.id, note, ...(isForced && { pastPivot: true }) });
      toast("The saga goes back.");
      reloadSoon(reload);
    },
  };
}
const undone = ({ lanes }: SagaDetail): string =>
  lanes.forward
    .filter(({ status, calls }) => status === "done" && calls > 0)
    .map(({ step }) => step)
    .toReversed()
    .join(", ");

const noting = ({ id }: SagaDetail, reload: () => void): Act => ({
  title: "Add a note",
  says: <p>It stays with the saga, for the next operator.</p>,
  button: "Add the note",
  async run(note) {
    await api.ops.noteSaga({ id, note });
    reload();
  },
});

/** Milliseconds after which a saga that was sent on has mostly come further. */
const FURTHER_MS = [0, 700, 2_500];
function reloadSoon(reload: () => void): void {
  for (const ms of FURTHER_MS) setTimeout(reload, ms);
}

const Lane = ({
  title,
  steps,
  calls,
}: {
  readonly title: string;
  readonly steps: readonly LaneStep[];
  readonly calls: readonly StepCall[];
}) => (
  <div class="stack tight">
    <h3>{title}</h3>
    <ol class="lane">
      {steps.map(step => (
        <li key={step.step} class={step.status}>
          <Step step={step} call={callOf(calls, step.step)} all={calls.filter(({ step: of }) => of === step.step)} />
        </li>
      ))}
    </ol>
  </div>
);

function Step({
  step,
  call,
  all,
}: {
  readonly step: LaneStep;
  readonly call: StepCall | undefined;
  readonly all: readonly StepCall[];
}) {
  const progress = progressOf(step);
  return (
    <div class="stack tight">
      <div class="row">
        <strong>{step.step}</strong>
        <Status tone={toneOf(step.status)}>{wordOf(step)}</Status>
        {progress && <span class="small number">{progress}</span>}
        {step.isPivot && <span class="tag">point of no return</span>}
        {call?.ms !== undefined && <span class="soft small number">{duration(call.ms)}</span>}
      </div>
      {call?.error && (
        <p class="failed">
          <code>{call.error.type}</code> {call.error.message}
        </p>
      )}
      {call && (call.attempt > 1 || (call.failedTries ?? 0) > 0) && (
        <p class="soft small">
          Attempt {call.attempt}
          {(call.failedTries ?? 0) > 0 && `, ${call.failedTries} tries without an answer`}.
        </p>
      )}
      {all.length > 0 && (
        <details>
          <summary class="small">What was asked and answered</summary>
          <div class="stack tight">
            {all.map(one => (
              <Call key={one.item} call={one} />
            ))}
          </div>
        </details>
      )}
    </div>
  );
}

const Call = ({ call }: { readonly call: StepCall }) => (
  <div class="stack tight">
    <p class="small">
      <code>{call.action}</code>, sent <Time at={call.sentAt} shows="exact" />
      {call.actor && (
        <>
          {", to "}
          <a href={actorAddress(call.actor)}>
            {call.actor.type} <code>{call.actor.id}</code>
          </a>
        </>
      )}
    </p>
    <Json label="What was asked" value={call.params} />
    {call.result !== undefined && <Json label="The answer" value={call.result} />}
  </div>
);

const Notes = ({ saga: { notes } }: { readonly saga: SagaDetail }) => (
  <section class="stack tight" aria-label="Notes">
    <h2>Notes</h2>
    {notes.length === 0 ? (
      <p class="soft">No operator has done anything about it yet.</p>
    ) : (
      <ul class="stack tight">
        {notes.map(({ by, at, did, note }) => (
          <li key={at} class="card note">
            <p>{note}</p>
            <p class="soft small">
              {by || "an operator"}, {did} <Time at={at} />
            </p>
          </li>
        ))}
      </ul>
    )}
  </section>
);

const Further = ({ saga: { actors, traces } }: { readonly saga: SagaDetail }) => (
  <section class="stack tight" aria-label="Look further">
    <h2>Look further</h2>
    <ul class="stack tight">
      {actors.map(actor => (
        <li key={`${actor.type} ${actor.id}`}>
          <a href={actorAddress(actor)}>
            {actor.type} <code>{actor.id}</code>
          </a>
        </li>
      ))}
      {traces.map(trace => (
        <li key={trace}>
          <a href={traceAddress(trace)}>
            trace <code>{trace}</code>
          </a>
        </li>
      ))}
    </ul>
  </section>
);
