// What needs a person, the worst first.
import { Button, Empty, Loaded, Partial, Status, Table, Time, useResource } from "../../../kit/index.ts";
import type { AnswerOf } from "../../../../client/index.ts";
import type { Api } from "../../../api.ts";
import { api } from "../../console.ts";
import { addressOf } from "../../parts/address.ts";
import { useFresh } from "../../parts/fresh.ts";
import { Head } from "../../parts/head.tsx";

type Overview = AnswerOf<Api["ops"]["overview"]>;

/** What an operator would see otherwise; not when it was checked. */
const signOf = ({ needs, unknown }: Overview): string =>
  JSON.stringify([needs.map(({ kind, count, command }) => [kind, count, command]), unknown]);

export default function OverviewPage() {
  const overview = useResource("overview", signal => api.ops.overview({}, { signal }), { keeps: true });
  const fresh = useFresh(overview, () => api.ops.overview(), signOf);
  return (
    <div class="stack loose">
      <Head title="Overview" of={overview} />
      <div role="status">
        {fresh.isThere && (
          <div class="notice">
            <div>
              <strong>Something has changed.</strong>
            </div>
            <Button size="small" onClick={fresh.show}>
              Show what is new
            </Button>
          </div>
        )}
      </div>
      <Loaded of={overview}>
        {({ needs, unknown }) => (
          <>
            {unknown.length > 0 && <Partial silent={unknown} onRetry={overview.reload} />}
            {needs.length === 0 ? (
              unknown.length === 0 && (
                <Empty title="Nothing needs you" icon="check">
                  No stuck sagas, no dead letters, nothing in quarantine.
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
    </div>
  );
}

const Says = ({ says, address }: { readonly says: string; readonly address: string | undefined }) =>
  address === undefined ? <>{says}</> : <a href={address}>{says}</a>;
