import { Empty, Loaded, Money, Table, Time, useResource } from "../../../kit/index.ts";
import type { AnswerOf } from "../../../../client/index.ts";
import { api } from "../../console.ts";

type Minute = AnswerOf<typeof api.ops.sales>["rows"][number];
const MINUTES = 120;

export function Sales() {
  const sales = useResource("sales", signal => api.ops.sales({ limit: MINUTES }, { signal }), { keeps: true });
  return (
    <section class="stack" aria-label="Sales">
      <Loaded of={sales}>
        {({ rows }) =>
          rows.length === 0 ? (
            <Empty title="Nothing is sold yet" icon="chart">
              Each minute with a confirmed order gets a line here.
            </Empty>
          ) : (
            <Table<Minute>
              label="Confirmed orders by minute, the newest first"
              rows={rows}
              keyOf={({ minute, revenue }) => `${minute} ${revenue.currency}`}
              columns={[
                { head: "Minute", cell: ({ minute }) => <Time at={minute} shows="exact" /> },
                { head: "Orders", align: "end", cell: ({ orders }) => new Intl.NumberFormat().format(orders) },
                { head: "Revenue", align: "end", cell: ({ revenue }) => <Money {...revenue} /> },
              ]}
            />
          )
        }
      </Loaded>
    </section>
  );
}
