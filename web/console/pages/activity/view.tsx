// What operators did: who, what, to what, why, and what came of it. From the audit.
import {
  Button,
  Empty,
  Loaded,
  queryOf,
  Select,
  Status,
  Table,
  Time,
  useQuery,
  useResource,
  type Tone,
} from "../../../kit/index.ts";
import type { AnswerOf } from "../../../../client/index.ts";
import { api } from "../../console.ts";
import { News, useFresh } from "../../parts/fresh.tsx";
import { Head } from "../../parts/head.tsx";
import { More } from "../../parts/more.tsx";

type Page = AnswerOf<typeof api.ops.activity>;
type Deed = Page["activity"][number];
const PAGE = 50;
const PAGE_MAX = 500;
/** Two deeds of one request on one thing differ in what was done. */
const keyOf = ({ at, id, action, requestId }: Deed): string => `${at} ${action} ${id} ${requestId}`;
const TONES: Readonly<Record<string, Tone>> = { done: "good", refused: "warn", failed: "bad", begun: "busy" };
const OUTCOMES = ["done", "refused", "failed", "unknown"] as const;

export default function Activity() {
  const [query, change] = useQuery();
  const outcome = OUTCOMES.find(one => one === query["outcome"]);
  const filter = { ...(outcome && { outcome }), ...(query["person"] && { person: query["person"] }) };
  const list = useResource(JSON.stringify(filter), signal => api.ops.activity({ ...filter, limit: PAGE }, { signal }), {
    keeps: true,
  });
  const fresh = useFresh(
    "activity",
    list,
    ({ activity }) => api.ops.activity({ ...filter, limit: Math.min(PAGE_MAX, Math.max(PAGE, activity.length)) }),
    ({ activity }) => activity.map(deed => [keyOf(deed), deed.outcome] as const),
  );
  const more = async (): Promise<void> => {
    const { data } = list;
    const next = await api.ops.activity({ ...filter, limit: PAGE, cursor: data!.nextCursor! });
    list.set({ ...next, activity: [...data!.activity, ...next.activity] });
  };
  return (
    <div class="stack loose">
      <Head title="Activity" of={list} />
      <News of={[fresh]} />
      <div class="filters">
        <Select
          label="Outcome"
          value={outcome ?? ""}
          onChange={({ currentTarget }) => change({ outcome: currentTarget.value })}
        >
          <option value="">any</option>
          {OUTCOMES.map(one => (
            <option key={one}>{one}</option>
          ))}
        </Select>
        {query["person"] && (
          <Button size="small" onClick={() => change({ person: "" })}>
            Show those of everybody
          </Button>
        )}
      </div>
      <Loaded of={list}>
        {({ activity, nextCursor }) => (
          <>
            {activity.length === 0 ? (
              <Empty title="Nobody has done anything" icon="clock">
                What operators change here, in the REPL or over HTTP is listed with its note.
              </Empty>
            ) : (
              <Table<Deed>
                label="What operators did"
                rows={activity}
                keyOf={keyOf}
                columns={[
                  { head: "When", cell: ({ at }) => <Time at={at} /> },
                  {
                    head: "Who",
                    cell: ({ person }) =>
                      person === undefined ? (
                        "–"
                      ) : (
                        <a href={`/console/activity${queryOf(query, { person })}`}>
                          <code>{person}</code>
                        </a>
                      ),
                  },
                  {
                    head: "What",
                    cell: ({ action, id }) => (
                      <>
                        <code>{action}</code> <span class="soft">{id}</span>
                      </>
                    ),
                  },
                  { head: "Note", cell: ({ note }) => note ?? "–" },
                  {
                    head: "Outcome",
                    cell: ({ outcome, error }) => (
                      <>
                        <Status tone={TONES[outcome] ?? "idle"}>{outcome}</Status> {error && <code>{error}</code>}
                      </>
                    ),
                  },
                ]}
              />
            )}
            {nextCursor !== undefined && <More key={nextCursor} onMore={more} />}
          </>
        )}
      </Loaded>
    </div>
  );
}
