// Dead letters: events that a consumer could not take. Grouped by consumer and error, since one cause mostly has many; then each one,
// with what was to be taken.
import { useSignal } from "@preact/signals";
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
  useQuery,
  useResource,
} from "../../../kit/index.ts";
import type { AnswerOf } from "../../../../client/index.ts";
import { api } from "../../console.ts";
import { ActDialog, type Act } from "../../parts/act.tsx";
import { actorAddress } from "../../parts/address.ts";
import { News, useFresh } from "../../parts/fresh.tsx";
import { Head } from "../../parts/head.tsx";
import { Json } from "../../parts/json.tsx";
import { More } from "../../parts/more.tsx";
import { mayAct } from "../../parts/rights.ts";
import { actorOf, type Letter } from "./model.ts";

type Group = AnswerOf<typeof api.ops.deadLetterCounts>["counts"][number];
type Page = { deadLetters: readonly Letter[]; silent?: readonly string[]; nextCursor?: string };
const number = new Intl.NumberFormat();
const PAGE = 30;
const PAGE_MAX = 500;

interface Filter {
  readonly service?: string;
  readonly consumer?: string;
  readonly error?: string;
}
const pageOf = (
  filter: Filter,
  place: { readonly limit: number; readonly cursor?: string },
  signal?: AbortSignal,
): Promise<Page> => api.ops.deadLetters({ ...filter, ...place }, { signal }) as unknown as Promise<Page>;
const rowsOf = ({ deadLetters }: Page) => deadLetters.map(({ id, attempts }) => [id, `${attempts}`] as const);
const keyOfGroup = ({ service, consumer, error }: Group): string => `${service} ${consumer} ${error}`;

export default function Letters() {
  const [{ consumer, error, service }] = useQuery();
  const filter = { ...(service && { service }), ...(consumer && { consumer }), ...(error && { error }) };
  const key = JSON.stringify(filter);
  const groups = useResource("groups", signal => api.ops.deadLetterCounts({}, { signal }), { keeps: true });
  const list = useResource(key, signal => pageOf(filter, { limit: PAGE }, signal), { keeps: true });
  const fresh = [
    useFresh(
      "letters",
      list,
      ({ deadLetters }) => pageOf(filter, { limit: Math.min(PAGE_MAX, Math.max(PAGE, deadLetters.length)) }),
      rowsOf,
    ),
    useFresh(
      "letters",
      groups,
      () => api.ops.deadLetterCounts(),
      ({ counts }) => counts.map(group => [keyOfGroup(group), `${group.streams} ${group.letters}`] as const),
    ),
  ];
  const act = useSignal<Act | undefined>(undefined);
  const reload = (): void => {
    groups.reload();
    list.reload();
  };
  const more = async (): Promise<void> => {
    const { data } = list;
    const cursor = data!.nextCursor!;
    const next = await pageOf(filter, { limit: PAGE, cursor });
    list.set({ ...next, deadLetters: [...data!.deadLetters, ...next.deadLetters] });
  };
  const isNarrowed = Object.keys(filter).length > 0;
  return (
    <div class="stack loose">
      <Head title="Dead letters" of={{ ...list, reload }} />
      <News of={fresh} />
      <Loaded of={groups} skeleton={null}>
        {({ counts, silent }) => (
          <>
            {silent.length > 0 && <Partial silent={silent} onRetry={reload} />}
            {counts.length > 0 && <Groups groups={counts} onAct={one => (act.value = one)} reload={reload} />}
          </>
        )}
      </Loaded>
      <Loaded of={list}>
        {({ deadLetters, nextCursor }) => (
          <section class="stack" aria-label="Letters">
            {isNarrowed && (
              <p>
                Letters of {[service, consumer, error].filter(Boolean).join(", ")}.{" "}
                <a href="/console/letters">Show those of all</a>
              </p>
            )}
            {deadLetters.length === 0 ? (
              <Empty title={isNarrowed ? "None of this kind" : "All events are delivered"} icon="check">
                A consumer that cannot take an event parks its stream here, and goes on with the others.
              </Empty>
            ) : (
              deadLetters.map(letter => (
                <OneLetter key={letter.id} letter={letter} reload={reload} onAct={one => (act.value = one)} />
              ))
            )}
            {nextCursor !== undefined && <More key={nextCursor} onMore={more} />}
          </section>
        )}
      </Loaded>
      <ActDialog act={act.value} onClose={() => (act.value = undefined)} />
    </div>
  );
}

const Groups = ({
  groups,
  onAct,
  reload,
}: {
  readonly groups: readonly Group[];
  readonly onAct: (act: Act) => void;
  readonly reload: () => void;
}) => (
  <section class="stack tight" aria-label="By error">
    <h2>By error</h2>
    <Table<Group>
      label="Dead letters by consumer and error"
      rows={groups}
      keyOf={keyOfGroup}
      columns={[
        {
          head: "Error",
          cell: ({ service, consumer, error, message }) => (
            <>
              <a href={`/console/letters${queryOf({}, { service, consumer, error })}`}>
                <code>{error}</code>
              </a>{" "}
              {message}
            </>
          ),
        },
        { head: "Consumer", cell: ({ service, consumer }) => `${service} · ${consumer}` },
        { head: "Streams", align: "end", cell: ({ streams }) => number.format(streams) },
        { head: "Letters", align: "end", cell: ({ letters }) => number.format(letters) },
        { head: "Newest", cell: ({ newest }) => <Time at={newest} /> },
        ...(mayAct()
          ? [
              {
                head: "What to do",
                bare: true,
                cell: (group: Group) => (
                  <Button size="small" onClick={() => onAct(retryingGroup(group, reload))}>
                    Retry {number.format(group.streams)} {group.streams === 1 ? "stream" : "streams"}
                  </Button>
                ),
              },
            ]
          : []),
      ]}
    />
  </section>
);

const retryingGroup = ({ service, consumer, error, streams, letters }: Group, reload: () => void): Act => ({
  title: `Retry ${number.format(streams)} streams`,
  says: (
    <p>
      All streams that <strong>{consumer}</strong> of {service} parked with <code>{error}</code>:{" "}
      {number.format(letters)} letters when this page was read. Each goes on from its first letter, in its order. Mend
      the cause first.
    </p>
  ),
  button: "Retry them",
  command: `letters retry --service ${service} --consumer ${consumer} --error ${error}`,
  async run(note) {
    const { streams: sent } = await api.ops.retryDeadLetters({ service, consumer, error, note });
    toast(`${number.format(sent)} streams go on.`);
    setTimeout(reload, 1_000);
    reload();
  },
});

function OneLetter({
  letter,
  reload,
  onAct,
}: {
  readonly letter: Letter;
  readonly reload: () => void;
  readonly onAct: (act: Act) => void;
}) {
  const actor = actorOf(letter);
  return (
    <article class="card stack tight">
      <div class="row">
        <Status tone="bad">{letter.error.type}</Status>
        <strong>{letter.type}</strong>
        <span class="soft small">
          {letter.service} · {letter.consumer}
        </span>
        <Time at={letter.at} />
      </div>
      <p>{letter.error.message}</p>
      <p class="small">
        {actor ? (
          <a href={actorAddress(actor)}>
            {actor.type} <code>{actor.id}</code>
          </a>
        ) : (
          <code>{letter.stream}</code>
        )}
        , version {letter.version}; tried {letter.attempts} times
      </p>
      <details>
        <summary class="small">The event</summary>
        <Json label="The event" value={letter.event} />
      </details>
      {mayAct() && (
        <div class="row">
          <Button size="small" onClick={() => onAct(retryingOne(letter, reload))}>
            Retry its stream
          </Button>
          {actor === undefined && (
            <Button size="small" kind="danger" onClick={() => onAct(discarding(letter, reload))}>
              Discard this message
            </Button>
          )}
        </div>
      )}
    </article>
  );
}

const retryingOne = ({ id, stream }: Letter, reload: () => void): Act => ({
  title: "Retry its stream",
  says: (
    <p>
      <code>{stream}</code> goes on from its first letter, in its order.
    </p>
  ),
  button: "Retry its stream",
  command: `retry ${id}`,
  async run(note) {
    await api.ops.retryDeadLetter({ id, note });
    toast("The stream goes on.");
    setTimeout(reload, 1_000);
    reload();
  },
});

/** A message from outside alone: an event of a log would be missing. */
const discarding = ({ id, type }: Letter, reload: () => void): Act => ({
  title: "Discard this message",
  says: <p>The message is gone; its sender still has it, perhaps. Those that wait behind it go on.</p>,
  button: "Discard this message",
  kind: "danger",
  typed: type,
  command: `discard ${id}`,
  async run(note) {
    await api.ops.discardDeadLetter({ id, note });
    toast("The message is discarded.");
    setTimeout(reload, 1_000);
    reload();
  },
});
