// Front page, category and search: a list of products.
import { useLocation, useRoute } from "preact-iso";
import { useEffect } from "preact/hooks";
import {
  Button,
  ButtonLink,
  Empty,
  LANGUAGE,
  Loaded,
  Money,
  Pager,
  Select,
  Skeleton,
  Status,
  usePage,
  useQuery,
  useResource,
} from "../../../kit/index.ts";
import type { Product } from "../../../api.ts";
import { stockOf } from "../../cart.ts";
import { categories, refreshCategories } from "../../categories.ts";
import { Picture } from "../../picture.tsx";
import { shop } from "../../shop.ts";
import { inputOf, keyOf, nearTo, PAGE_SIZE, scarcity, shownBy, SORTS, titleOf } from "./model.ts";

export default function List() {
  const { params } = useRoute();
  const { path } = useLocation();
  const [query, change] = useQuery();
  const shown = shownBy(query, params["category"]);
  const title = titleOf(shown);
  const heading = usePage(title);
  const isFront = path === "/" && shown.page === 1 && shown.sort === undefined;
  const products = useResource(keyOf(shown), signal => shop.products.list(inputOf(shown), { signal }), {
    keeps: true,
  });
  const skus = products.data?.rows.map(({ sku }) => sku) ?? [];
  // The list may come from a cache, the stock does not.
  const stock = useResource(skus.join(), signal => stockOf(skus, signal), { keeps: true });
  useEffect(() => void refreshCategories(), []);
  return (
    <div class="stack loose">
      {isFront ? (
        <section class="hero">
          <h1 ref={heading} tabIndex={-1}>
            Things for a slow morning
          </h1>
          <p>Mugs, coffee, tea and paper, made by people who care how they feel in the hand.</p>
        </section>
      ) : (
        <h1 ref={heading} tabIndex={-1}>
          {title || "All products"}
        </h1>
      )}
      <nav class="chips" aria-label="Categories">
        <a class="chip" href="/" aria-current={path === "/" ? "page" : undefined}>
          Everything
        </a>
        {categories.value.map(category => (
          <CategoryLink key={category} category={category} isHere={shown.category === category} />
        ))}
      </nav>
      <Loaded of={products} skeleton={<Skeletons />}>
        {({ rows, total }) =>
          rows.length === 0 && total > 0 ? (
            <Empty
              title={`There is no page ${shown.page}`}
              icon="search"
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
              title="Nothing fits"
              icon="search"
              action={
                <ButtonLink href="/" kind="primary">
                  See everything
                </ButtonLink>
              }
            >
              {shown.q !== undefined
                ? `No product has “${shown.q}” in its name or description.`
                : "This category is empty."}{" "}
              <Near q={shown.q} />
            </Empty>
          ) : (
            <section class="stack loose" aria-label="Products">
              <div class="row ends">
                <p class="soft small" role="status">
                  <span class="number">{new Intl.NumberFormat(LANGUAGE).format(total)}</span>{" "}
                  {total === 1 ? "product" : "products"}
                </p>
                <div class="sort">
                  <Select
                    label="Sort by"
                    value={shown.sort ?? ""}
                    onChange={({ currentTarget }) => change({ sort: currentTarget.value, page: undefined })}
                  >
                    {SORTS.map(([value, label]) => (
                      <option key={value} value={value}>
                        {label}
                      </option>
                    ))}
                  </Select>
                </div>
              </div>
              <ul class="products">
                {rows.map(product => (
                  <Card key={product.id} product={product} available={stock.data?.[product.sku]} />
                ))}
              </ul>
              <Pager
                page={shown.page}
                pageSize={PAGE_SIZE}
                total={total}
                onPage={page => change({ page: page > 1 ? page : undefined })}
              />
            </section>
          )
        }
      </Loaded>
    </div>
  );
}

const CategoryLink = ({ category, isHere }: { readonly category: string; readonly isHere?: boolean }) => (
  <a class="chip" href={`/categories/${encodeURIComponent(category)}`} aria-current={isHere ? "page" : undefined}>
    {category}
  </a>
);

/** The categories that are near to a search without a hit; all of them stand above. */
function Near({ q = "" }: { readonly q: string | undefined }) {
  const near = nearTo(q, categories.value);
  if (near.length === 0) return <>Try another word, or one of the categories above.</>;
  return (
    <>
      Try another word, or look in{" "}
      {near.map(category => (
        <CategoryLink key={category} category={category} />
      ))}
    </>
  );
}

interface CardProps {
  readonly product: Product;
  /** Undefined where it is not known. */
  readonly available: number | undefined;
}
const Card = ({ product, available }: CardProps) => (
  <li class="product">
    <Picture product={product} />
    <Scarce available={available} />
    <h2>
      <a href={`/products/${product.id}`}>{product.name}</a>
    </h2>
    <span class="price">
      <Money {...product.price} />
    </span>
  </li>
);

function Scarce({ available }: Pick<CardProps, "available">) {
  const scarce = scarcity(available);
  if (scarce === undefined) return null;
  return (
    <span class="scarce">
      <Status tone={scarce.isOut ? "bad" : "warn"}>{scarce.says}</Status>
    </span>
  );
}

const Skeletons = () => (
  <div class="products" role="status" aria-label="Loading products">
    {Array.from({ length: 8 }, (_, n) => (
      <div class="product" key={n}>
        <span class="skeleton picture" />
        <Skeleton />
        <Skeleton width="short" />
      </div>
    ))}
  </div>
);
