// What needs a person, the worst first.
import { Empty, Loaded, Partial, Status, Table, Time, usePage, useResource } from "../../../kit/index.ts";
import type { AnswerOf } from "../../../../client/index.ts";
import type { Api } from "../../../api.ts";
import { api } from "../../console.ts";

type Overview = AnswerOf<Api["ops"]["overview"]>;

export default function OverviewPage() {
  const heading = usePage("Overview", "Console");
  const overview = useResource("overview", signal => api.ops.overview({}, { signal }), { keeps: true });
  return (
    <div class="stack loose">
      <div class="row ends baseline">
        <h1 ref={heading} tabIndex={-1}>
          Overview
        </h1>
        {overview.asOf !== undefined && (
          <p class="soft small">
            Checked <Time at={overview.asOf} />
          </p>
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
                  { head: "What it means", cell: ({ says }) => says },
                  { head: "Command", cell: ({ command }) => <code>{command}</code> },
                ]}
              />
            )}
          </>
        )}
      </Loaded>
    </div>
  );
}
