// One actor: its state now or at a version of the past, what changed, and its events.
import { Button, Empty, Loaded, Status, Table, Time, useQuery, useResource } from "../../../kit/index.ts";
import { api } from "../../console.ts";
import { copyCommand } from "../../parts/copy.tsx";
import { Head } from "../../parts/head.tsx";
import { Json } from "../../parts/json.tsx";
import { More } from "../../parts/more.tsx";
import { commandOf, versionIn, type ActorAt, type ActorEvent, type ActorTimer, type Change } from "./model.ts";

const PAGE = 50;
const number = new Intl.NumberFormat();

export default function Actor({ type, id }: { readonly type: string; readonly id: string }) {
  const now = useResource(
    `${type} ${id}`,
    signal => api.ops.actor({ type, id }, { signal }) as unknown as Promise<ActorAt>,
  );
  if (now.error?.code === "ACTOR_NOT_FOUND" || now.error?.code === "ACTOR_TYPE_NOT_FOUND")
    return (
      <div class="stack loose">
        <Head title={`${type} ${id}`} />
        <Empty title={`There is no such ${type}`} icon="search">
          Nothing was ever written under the id <code>{id}</code>, or it is archived.
        </Empty>
      </div>
    );
  return (
    <div class="stack loose">
      <Head title={type} of={now} />
      <Loaded of={now}>{actor => <Detail actor={actor} />}</Loaded>
    </div>
  );
}

function Detail({ actor }: { readonly actor: ActorAt }) {
  const [query, change] = useQuery();
  const version = versionIn(query["version"], actor.version);
  const shown = version ?? actor.version;
  const go = (to: number): void =>
    change({ version: to >= actor.version ? undefined : Math.max(0, to) }, { replace: true });
  const command = commandOf(actor, version);
  return (
    <>
      <section class={version === undefined ? "card stack" : "card stack past"} aria-label="State">
        <h2 class="unseen">State</h2>
        <div class="row ends">
          <div class="row">
            <code>{actor.id}</code>
            <Status tone={version === undefined ? "good" : "warn"}>{version === undefined ? "now" : "the past"}</Status>
            {actor.isArchived && <Status tone="idle">archived</Status>}
            {actor.owner !== undefined && (
              <span class="soft small">
                on <code>{actor.owner}</code>
              </span>
            )}
          </div>
          <Button size="small" onClick={() => copyCommand(command)}>
            Copy as command
          </Button>
        </div>
        <div class="versions">
          <label for="version">
            Version {number.format(shown)} of {number.format(actor.version)}
          </label>
          <input
            id="version"
            type="range"
            min={0}
            max={actor.version}
            value={shown}
            onChange={({ currentTarget }) => go(Number(currentTarget.value))}
          />
          <div class="row">
            <Button size="small" disabled={shown === 0} onClick={() => go(shown - 1)}>
              One back
            </Button>
            <Button size="small" disabled={version === undefined} onClick={() => go(shown + 1)}>
              One on
            </Button>
            <Button size="small" disabled={version === undefined} onClick={() => go(actor.version)}>
              To now
            </Button>
          </div>
        </div>
        {version === undefined ? (
          <Json label="The state" value={actor.state} />
        ) : (
          <Past actor={actor} version={version} />
        )}
      </section>
      <Timers actor={actor} />
      <Events key={`${actor.type} ${actor.id}`} actor={actor} at={shown} onVersion={go} />
    </>
  );
}

/** Commands that it will get by itself. */
const Timers = ({ actor: { timers = [], isPartial = false } }: { readonly actor: ActorAt }) =>
  timers.length === 0 && !isPartial ? null : (
    <section class="stack tight" aria-label="Timers">
      <h2>Timers</h2>
      {timers.length > 0 && (
        <Table<ActorTimer>
          label="Timers, the next one first"
          rows={timers}
          keyOf={({ id }) => id}
          columns={[
            { head: "Command", cell: ({ command }) => <code>{command}</code> },
            { head: "Next try", cell: ({ nextAt }) => <Time at={nextAt} /> },
            {
              head: "Late",
              align: "end",
              cell: ({ lateMs }) =>
                lateMs === 0 ? "no" : <Status tone="warn">{number.format(Math.round(lateMs / 1_000))} s</Status>,
            },
            { head: "Failed tries", align: "end", cell: ({ attempts }) => number.format(attempts) },
            { head: "With", cell: ({ params }) => <code>{JSON.stringify(params)}</code> },
          ]}
        />
      )}
      {isPartial && <p class="soft small">Only the next 1,000 timers of its service were looked at.</p>}
    </section>
  );

/** The state as it was, what the event of this version changed, and what has changed since. */
function Past({ actor: { type, id }, version }: { readonly actor: ActorAt; readonly version: number }) {
  const then = useResource(
    `${type} ${id} ${version}`,
    signal => api.ops.actor({ type, id, version }, { signal }) as unknown as Promise<ActorAt>,
    { keeps: true },
  );
  return (
    <>
      <Loaded of={then}>{({ state }) => <Json label="The state" value={state} />}</Loaded>
      {version > 0 && <Diff title="What its event changed" {...{ type, id }} from={version - 1} to={version} />}
      <Diff title="What has changed since" {...{ type, id }} from={version} />
    </>
  );
}

function Diff({
  title,
  type,
  id,
  from,
  to,
}: {
  readonly title: string;
  readonly type: string;
  readonly id: string;
  readonly from: number;
  readonly to?: number;
}) {
  const asked = { type, id, from, ...(to !== undefined && { to }) };
  const diff = useResource(
    JSON.stringify(asked),
    signal =>
      api.ops.actorDiff(asked, { signal }) as unknown as Promise<{ changes: readonly Change[]; hasMore: boolean }>,
    { keeps: true },
  );
  return (
    <section class="stack tight" aria-label={title}>
      <h3>{title}</h3>
      <Loaded of={diff}>
        {({ changes, hasMore }) => (
          <>
            {changes.length === 0 ? (
              <p class="soft">Nothing.</p>
            ) : (
              <Table<Change>
                label={title}
                rows={changes}
                keyOf={({ path }) => path}
                columns={[
                  { head: "Where", cell: ({ path }) => <code>{path}</code> },
                  { head: "Before", cell: change => <Value of={change} name="before" /> },
                  { head: "After", cell: change => <Value of={change} name="after" /> },
                ]}
              />
            )}
            {hasMore && <p class="soft small">There are more changes than are shown.</p>}
          </>
        )}
      </Loaded>
    </section>
  );
}

const Value = ({ of, name }: { readonly of: Change; readonly name: "before" | "after" }) =>
  name in of ? <code>{JSON.stringify(of[name])}</code> : <span class="soft">not there</span>;

type Page = { readonly events: readonly ActorEvent[]; readonly nextCursor?: string };

function Events({
  actor: { type, id, version },
  at,
  onVersion,
}: {
  readonly actor: ActorAt;
  readonly at: number;
  readonly onVersion: (version: number) => void;
}) {
  const list = useResource(
    `${version}`,
    signal => api.ops.actorHistory({ type, id, limit: PAGE }, { signal }) as unknown as Promise<Page>,
    { keeps: true },
  );
  const more = async (): Promise<void> => {
    const { data } = list;
    const cursor = data!.nextCursor!;
    const next = (await api.ops.actorHistory({ type, id, limit: PAGE, cursor })) as unknown as Page;
    list.set({ ...next, events: [...data!.events, ...next.events] });
  };
  return (
    <section class="stack" aria-label="Events">
      <h2>Events</h2>
      <Loaded of={list}>
        {({ events, nextCursor }) => (
          <>
            <ol class="lane">
              {events.map(event => (
                <li key={event.version} class={event.version === at ? "sent" : event.version < at ? "done" : "waiting"}>
                  <Event event={event} onVersion={onVersion} />
                </li>
              ))}
            </ol>
            {nextCursor !== undefined && <More key={nextCursor} onMore={more} />}
          </>
        )}
      </Loaded>
    </section>
  );
}

const Event = ({ event, onVersion }: { readonly event: ActorEvent; readonly onVersion: (version: number) => void }) => (
  <div class="stack tight">
    <div class="row">
      <span class="number soft">{event.version}</span>
      <strong>{event.type}</strong>
      <Time at={event.at} />
      <Button size="small" kind="quiet" onClick={() => onVersion(event.version)}>
        See version {event.version}
      </Button>
    </div>
    <details>
      <summary class="small">What it says, and who caused it</summary>
      <div class="stack tight">
        <Json label="The event" value={event.data} />
        <Json label="Who caused it" value={event.metadata ?? {}} />
      </div>
    </details>
  </div>
);
