// The shop itself: orders of everybody, what was sold, and what is on the shelf.
import { queryOf, useQuery } from "../../../kit/index.ts";
import { Head } from "../../parts/head.tsx";
import { TABS, tabOf } from "./model.ts";
import { Orders } from "./orders.tsx";
import { Products } from "./products.tsx";
import { Sales } from "./sales.tsx";
import { Stock } from "./stock.tsx";

const VIEWS = { orders: Orders, sales: Sales, products: Products, stock: Stock } as const;
const NAMES = { orders: "Orders", sales: "Sales", products: "Products", stock: "Stock" } as const;

export default function Shop() {
  const [{ tab }] = useQuery();
  const chosen = tabOf(tab);
  const View = VIEWS[chosen];
  return (
    <div class="stack loose">
      <Head title="Shop" />
      <nav class="tabs" aria-label="Parts of the shop">
        {TABS.map(one => (
          <a
            key={one}
            href={`/console/shop${queryOf({}, { tab: one })}`}
            aria-current={one === chosen ? "page" : undefined}
          >
            {NAMES[one]}
          </a>
        ))}
      </nav>
      <View />
    </div>
  );
}
