import { useSignal } from "@preact/signals";
import { Button, Empty, Field, Loaded, Pager, Table, toast, useQuery, useResource } from "../../../kit/index.ts";
import type { RowOf } from "../../../../client/index.ts";
import { api } from "../../console.ts";
import { ActDialog, type Act } from "../../parts/act.tsx";
import { actorAddress } from "../../parts/address.ts";
import { mayAct } from "../../parts/rights.ts";
import { quantityOf } from "./model.ts";

type Level = RowOf<typeof api.stock.list>;
interface Levels {
  readonly rows: readonly Level[];
  readonly total: number;
}
const PAGE_SIZE = 25;
const number = new Intl.NumberFormat();

export function Stock() {
  const [{ page: at, sku = "" }, change] = useQuery();
  const page = Math.max(1, Math.trunc(Number(at)) || 1);
  const levels = useResource<Levels>(`${sku} ${page}`, signal => read(sku, page, signal), { keeps: true });
  const act = useSignal<Act | undefined>(undefined);
  return (
    <section class="stack" aria-label="Stock">
      <form class="filters" role="search" onSubmit={event => event.preventDefault()}>
        <Field
          label="SKU"
          value={sku}
          placeholder="any"
          onChange={({ currentTarget }) => change({ sku: currentTarget.value.trim(), page: undefined })}
        />
      </form>
      <Loaded of={levels}>
        {({ rows, total }) =>
          rows.length === 0 ? (
            <Empty title={sku ? "Nothing was ever in stock under this SKU" : "Nothing is in stock"} icon="box" />
          ) : (
            <>
              <Rows levels={rows} busy={levels.isLoading} onAct={one => (act.value = one)} reload={levels.reload} />
              <Pager page={page} pageSize={PAGE_SIZE} total={total} onPage={page => change({ page })} />
            </>
          )
        }
      </Loaded>
      <ActDialog act={act.value} onClose={() => (act.value = undefined)} />
    </section>
  );
}

async function read(sku: string, page: number, signal: AbortSignal): Promise<Levels> {
  if (sku === "") return api.stock.list({ page, pageSize: PAGE_SIZE }, { signal });
  const { rows } = await api.stock.levels({ sku }, { signal });
  return { rows, total: rows.length };
}

const Rows = ({
  levels,
  busy,
  onAct,
  reload,
}: {
  readonly levels: readonly Level[];
  readonly busy: boolean;
  readonly onAct: (act: Act) => void;
  readonly reload: () => void;
}) => (
  <Table<Level>
    label="Stock by SKU"
    rows={levels}
    busy={busy}
    keyOf={({ sku }) => sku}
    columns={[
      {
        head: "SKU",
        cell: ({ sku }) => (
          <a href={actorAddress({ type: "stock", id: sku })}>
            <code>{sku}</code>
          </a>
        ),
      },
      { head: "Available", align: "end", cell: ({ available }) => number.format(available) },
      { head: "Reserved", align: "end", cell: ({ reserved }) => number.format(reserved) },
      ...(mayAct()
        ? [
            {
              head: "What to do",
              bare: true,
              cell: (level: Level) => (
                <div class="row">
                  <Button
                    size="small"
                    aria-label={`Receive ${level.sku}`}
                    onClick={() => onAct(receiving(level, reload))}
                  >
                    Receive
                  </Button>
                  <Button
                    size="small"
                    aria-label={`Adjust ${level.sku}`}
                    onClick={() => onAct(adjusting(level, reload))}
                  >
                    Adjust
                  </Button>
                </div>
              ),
            },
          ]
        : []),
    ]}
  />
);

/** The field of a quantity, and what was typed into it. */
function quantityField(hint: string) {
  const typed = { text: "" };
  const field = (
    <Field
      label="Pieces"
      hint={hint}
      inputMode="numeric"
      required
      onInput={({ currentTarget }) => (typed.text = currentTarget.value)}
    />
  );
  return { field, typed };
}

function receiving({ sku, available }: Level, reload: () => void): Act {
  const { field, typed } = quantityField(`There are ${number.format(available)} now.`);
  return {
    title: `Receive ${sku}`,
    says: field,
    button: "Book them in",
    wantsNote: false,
    async run() {
      const quantity = quantityOf(typed.text, { min: 1 });
      if (quantity === undefined) throw new Error("Type how many pieces came in, as a whole number above 0.");
      const { available } = await api.stock.receive({ sku, quantity });
      toast(`${sku}: ${number.format(available)} are available.`);
      reload();
    },
  };
}

function adjusting({ sku, available }: Level, reload: () => void): Act {
  const { field, typed } = quantityField(
    `By how many: -2 takes two away of the ${number.format(available)}. Reserved pieces stay.`,
  );
  return {
    title: `Adjust ${sku}`,
    says: field,
    button: "Correct the stock",
    async run(note) {
      const quantity = quantityOf(typed.text);
      if (quantity === undefined) throw new Error("Type by how many pieces, as a whole number: 3, or -2.");
      const { available } = await api.stock.adjust({ sku, quantity, reason: note });
      toast(`${sku}: ${number.format(available)} are available.`);
      reload();
    },
  };
}
