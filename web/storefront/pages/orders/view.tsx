import {
  Button,
  ButtonLink,
  Empty,
  Loaded,
  Money,
  Pager,
  Status,
  Table,
  Time,
  usePage,
  useQuery,
  useResource,
} from "../../../kit/index.ts";
import { signInAt } from "../../back.ts";
import { session, shop } from "../../shop.ts";
import { wordOf } from "../order/model.ts";

const PAGE_SIZE = 20;

export default function Orders() {
  const heading = usePage("Your orders");
  return (
    <div class="stack loose">
      <h1 ref={heading} tabIndex={-1}>
        Your orders
      </h1>
      {session.user.value ? <List key={session.user.value.id} /> : <SignInFirst />}
    </div>
  );
}

const SignInFirst = () => (
  <Empty
    title="Sign in to see your orders"
    icon="lock"
    action={
      <ButtonLink kind="primary" href={signInAt("/orders")}>
        Sign in
      </ButtonLink>
    }
  >
    They belong to your account.
  </Empty>
);

function List() {
  const [query, change] = useQuery();
  const asked = Number(query["page"]);
  const page = Number.isInteger(asked) && asked > 0 && asked <= 100_000 ? asked : 1;
  const orders = useResource(`${page}`, signal => shop.orders.list({ page, pageSize: PAGE_SIZE }, { signal }), {
    keeps: true,
  });
  return (
    <Loaded of={orders}>
      {({ rows, total }) =>
        rows.length === 0 && total > 0 ? (
          <Empty
            title={`There is no page ${page}`}
            action={
              <Button kind="primary" onClick={() => change({ page: undefined })}>
                See the first page
              </Button>
            }
          >
            All of them fit on the pages before.
          </Empty>
        ) : total === 0 ? (
          <Empty
            title="No orders yet"
            action={
              <ButtonLink href="/" kind="primary">
                To the shop
              </ButtonLink>
            }
          >
            What you order is listed here, with how far it is.
          </Empty>
        ) : (
          <div class="stack">
            <Table
              label="Your orders"
              rows={rows}
              keyOf={({ id }) => id}
              busy={orders.isLoading}
              columns={[
                { head: "Placed", cell: ({ id, placedAt }) => <OrderLink {...{ id, placedAt }} /> },
                { head: "Status", cell: ({ status }) => <OrderStatus status={status} /> },
                { head: "Things", align: "end", cell: ({ items }) => items },
                { head: "Total", align: "end", cell: ({ total: sum }) => <Money {...sum} /> },
              ]}
            />
            <Pager
              page={page}
              pageSize={PAGE_SIZE}
              total={total}
              onPage={next => change({ page: next > 1 ? next : undefined })}
            />
          </div>
        )
      }
    </Loaded>
  );
}

const OrderLink = ({ id, placedAt }: { readonly id: string; readonly placedAt: string }) => (
  <a href={`/orders/${id}`} class="target">
    <Time at={placedAt} shows="exact" />
    <span class="unseen">, order {id}</span>
  </a>
);

function OrderStatus({ status }: { readonly status: string }) {
  const [word, tone] = wordOf(status);
  return <Status tone={tone}>{word}</Status>;
}
