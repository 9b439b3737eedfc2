// What needs a person, the worst first.
import { Empty, Loaded, Partial, Status, Table, Time, useResource } from "../../../kit/index.ts";
import type { AnswerOf } from "../../../../client/index.ts";
import type { Api } from "../../../api.ts";
import { api } from "../../console.ts";
import { addressOf } from "../../parts/address.ts";
import { News, useFresh } from "../../parts/fresh.tsx";
import { Head } from "../../parts/head.tsx";
import Figures from "./figures.tsx";

type Overview = AnswerOf<Api["ops"]["overview"]>;

const rowsOf = ({ needs, unknown }: Overview) => [
  ...needs.map(({ kind, command, count, newest }) => [`${kind} ${command}`, `${count} ${newest}`] as const),
  ...unknown.map(name => [`unknown ${name}`, ""] as const),
];

export default function OverviewPage() {
  const overview = useResource("overview", signal => api.ops.overview({}, { signal }), { keeps: true });
  const fresh = useFresh("overview", overview, () => api.ops.overview(), rowsOf);
  return (
    <div class="stack loose">
      <Head title="Overview" of={overview} />
      <News of={[fresh]} />
      <Loaded of={overview}>
        {({ needs, unknown, checkedAt }) => (
          <>
            {unknown.length > 0 && <Partial silent={unknown} onRetry={overview.reload} />}
            {needs.length === 0 ? (
              unknown.length === 0 && (
                <Empty title="Nothing needs you" icon="check">
                  No stuck sagas, no dead letters, nothing in quarantine, no node is missing. Checked{" "}
                  {checkedAt && <Time at={checkedAt} shows="clock" />}.
                </Empty>
              )
            ) : (
              <Table<Overview["needs"][number]>
                label="What needs a person"
                rows={needs}
                keyOf={({ kind, command }) => `${kind} ${command}`}
                columns={[
                  { head: "What", cell: ({ kind }) => <Status tone="bad">{kind}</Status> },
                  { head: "How many", align: "end", cell: ({ count }) => new Intl.NumberFormat().format(count) },
                  { head: "Since", cell: ({ oldest }) => (oldest ? <Time at={oldest} /> : "–") },
                  { head: "What it means", cell: ({ says, look }) => <Says says={says} address={addressOf(look)} /> },
                  { head: "In the REPL", cell: ({ command }) => <code>{command}</code> },
                ]}
              />
            )}
          </>
        )}
      </Loaded>
      {/* Behind what needs a person, so that it moves nothing. */}
      {overview.data !== undefined && <Figures />}
    </div>
  );
}

const Says = ({ says, address }: { readonly says: string; readonly address: string | undefined }) =>
  address === undefined ? <>{says}</> : <a href={address}>{says}</a>;
