import { useSignal } from "@preact/signals";
import {
  Button,
  Empty,
  Failure,
  Field,
  Loaded,
  Money,
  moneyText,
  Pager,
  Table,
  toast,
  useQuery,
  useResource,
} from "../../../kit/index.ts";
import type { RowOf } from "../../../../client/index.ts";
import { api } from "../../console.ts";
import { ActDialog, type Act } from "../../parts/act.tsx";
import { mayAct } from "../../parts/rights.ts";
import { amountOf, digitsOf, textOfAmount } from "./model.ts";

type Product = RowOf<typeof api.products.list>;
const PAGE_SIZE = 25;

export function Products() {
  const [{ page: at, q = "" }, change] = useQuery();
  const page = Math.max(1, Math.trunc(Number(at)) || 1);
  const products = useResource(
    `${q} ${page}`,
    signal => api.products.list({ page, pageSize: PAGE_SIZE, sort: "name", ...(q && { q }) }, { signal }),
    { keeps: true },
  );
  const act = useSignal<Act | undefined>(undefined);
  const failure = useSignal<Error | undefined>(undefined);
  const edit = async (id: string): Promise<void> => {
    failure.value = undefined;
    try {
      // As it is now, with the version that a change has to be of.
      const { body, headers } = await api.products.get.answer({ id }, { headers: { "Cache-Control": "no-cache" } });
      act.value = pricing(body, headers.get("ETag"), products.reload);
    } catch (error) {
      failure.value = error as Error;
    }
  };
  return (
    <section class="stack" aria-label="Products">
      <form class="filters" role="search" onSubmit={event => event.preventDefault()}>
        <Field
          label="Name, or a part of it"
          type="search"
          value={q}
          placeholder="any"
          onChange={({ currentTarget }) => change({ q: currentTarget.value.trim(), page: undefined })}
        />
      </form>
      {failure.value && <Failure error={failure.value} />}
      <Loaded of={products}>
        {({ rows, total }) =>
          rows.length === 0 ? (
            <Empty title={q ? "No product has this name" : "There are no products yet"} icon="box" />
          ) : (
            <>
              <Rows products={rows} busy={products.isLoading} onEdit={edit} />
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
  products,
  busy,
  onEdit,
}: {
  readonly products: readonly Product[];
  readonly busy: boolean;
  readonly onEdit: (id: string) => void;
}) => (
  <Table<Product>
    label="Products by name"
    rows={products}
    busy={busy}
    keyOf={({ id }) => id}
    columns={[
      { head: "Product", cell: ({ id, name }) => <a href={`/products/${id}`}>{name}</a> },
      { head: "SKU", cell: ({ sku }) => <a href={`/console/shop?tab=stock&sku=${encodeURIComponent(sku)}`}>{sku}</a> },
      { head: "Category", cell: ({ category }) => category },
      { head: "Price", align: "end", cell: ({ price }) => <Money {...price} /> },
      ...(mayAct()
        ? [
            {
              head: "What to do",
              bare: true,
              cell: ({ id, name }: Product) => (
                <Button size="small" aria-label={`Edit ${name}`} onClick={() => onEdit(id)}>
                  Edit
                </Button>
              ),
            },
          ]
        : []),
    ]}
  />
);

/** `version`: of the product as it is shown; a change by somebody else in between is refused. */
function pricing(product: Product, version: string | null, reload: () => void): Act {
  const { id, name, price } = product;
  const digits = digitsOf(price.currency);
  const typed = { name, price: textOfAmount(price.amount, digits) };
  return {
    title: `Edit ${name}`,
    says: (
      <div class="stack tight">
        <Field
          label="Name"
          required
          maxLength={200}
          defaultValue={name}
          onInput={({ currentTarget }) => (typed.name = currentTarget.value)}
        />
        <Field
          label={`Price in ${price.currency}`}
          hint={`It is ${moneyText(price)} now. Carts show the new one; orders that are placed keep theirs.`}
          inputMode="decimal"
          required
          defaultValue={typed.price}
          onInput={({ currentTarget }) => (typed.price = currentTarget.value)}
        />
      </div>
    ),
    button: "Change the product",
    wantsNote: false,
    async run() {
      const amount = amountOf(typed.price, digits);
      if (amount === undefined) throw new Error(`Type a price such as ${textOfAmount(1_250, digits)}.`);
      if (typed.name.trim() === "") throw new Error("Type a name.");
      const changed = { id, name: typed.name.trim(), price: { ...price, amount } };
      await api.products.update(changed, version === null ? {} : { headers: { "If-Match": version } });
      toast(`${changed.name} costs ${moneyText(changed.price)}.`);
      reload();
    },
  };
}
