import { useSignal } from "@preact/signals";
import {
  Button,
  Empty,
  Loaded,
  Money,
  Pager,
  Select,
  Status,
  Table,
  Time,
  toast,
  useQuery,
  useResource,
} from "../../../kit/index.ts";
import type { RowOf } from "../../../../client/index.ts";
import { api } from "../../console.ts";
import { ActDialog, type Act } from "../../parts/act.tsx";
import { actorAddress } from "../../parts/address.ts";
import { mayAct } from "../../parts/rights.ts";
import { canCancel, STATUSES, toneOf, wordOf } from "./model.ts";

type Order = RowOf<typeof api.ops.orders>;
const PAGE_SIZE = 25;

export function Orders() {
  const [query, change] = useQuery();
  const status = STATUSES.find(one => one === query["status"]);
  const page = Math.max(1, Math.trunc(Number(query["page"])) || 1);
  const orders = useResource(
    `${status} ${page}`,
    signal => api.ops.orders({ page, pageSize: PAGE_SIZE, ...(status && { status }) }, { signal }),
    { keeps: true },
  );
  const act = useSignal<Act | undefined>(undefined);
  return (
    <section class="stack" aria-label="Orders">
      <div class="filters">
        <Select
          label="Status"
          value={status ?? ""}
          onChange={({ currentTarget }) => change({ status: currentTarget.value, page: undefined })}
        >
          <option value="">any</option>
          {STATUSES.map(one => (
            <option key={one} value={one}>
              {wordOf(one)}
            </option>
          ))}
        </Select>
      </div>
      <Loaded of={orders}>
        {({ rows, total }) =>
          rows.length === 0 ? (
            <Empty title={status ? `No order is ${wordOf(status)}` : "Nobody has ordered yet"} icon="cart" />
          ) : (
            <>
              <Rows
                orders={rows}
                busy={orders.isLoading}
                onCancel={order => (act.value = cancelling(order, orders.reload))}
              />
              <Pager page={page} pageSize={PAGE_SIZE} total={total} onPage={page => change({ page })} />
            </>
          )
        }
      </Loaded>
      <ActDialog act={act.value} onClose={() => (act.value = undefined)} />
    </section>
  );
}

const Rows = ({
  orders,
  busy,
  onCancel,
}: {
  readonly orders: readonly Order[];
  readonly busy: boolean;
  readonly onCancel: (order: Order) => void;
}) => (
  <Table<Order>
    label="Orders, the newest first"
    rows={orders}
    busy={busy}
    keyOf={({ id }) => id}
    columns={[
      { head: "Status", cell: ({ status }) => <Status tone={toneOf(status)}>{wordOf(status)}</Status> },
      {
        head: "Order",
        cell: ({ id }) => (
          <a href={actorAddress({ type: "order", id })}>
            <code>{id}</code>
          </a>
        ),
      },
      { head: "Items", align: "end", cell: ({ items }) => new Intl.NumberFormat().format(items) },
      { head: "Total", align: "end", cell: ({ total }) => <Money {...total} /> },
      { head: "Placed", cell: ({ placedAt }) => <Time at={placedAt} /> },
      { head: "Reason", cell: ({ reason }) => reason ?? "–" },
      ...(mayAct() && orders.some(({ status }) => canCancel(status))
        ? [
            {
              head: "What to do",
              bare: true,
              cell: (order: Order) =>
                canCancel(order.status) && (
                  <Button size="small" kind="danger" onClick={() => onCancel(order)}>
                    Cancel order
                  </Button>
                ),
            },
          ]
        : []),
    ]}
  />
);

const cancelling = ({ id, total }: Order, reload: () => void): Act => ({
  title: "Cancel this order",
  says: (
    <p>
      Order <code>{id}</code> over <Money {...total} /> ends here: its goods go back on the shelf, and nothing is
      charged. The customer reads the note.
    </p>
  ),
  button: "Cancel the order",
  kind: "danger",
  async run(note) {
    await api.orders.cancel({ id, reason: note });
    toast("The order is cancelled.");
    reload();
  },
});
