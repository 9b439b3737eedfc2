// Front page, category and search: a list of products.
import { useLocation, useRoute } from "preact-iso";
import {
  ButtonLink,
  Empty,
  Loaded,
  Money,
  Pager,
  Select,
  Skeleton,
  usePage,
  useQuery,
  useResource,
} from "../../../kit/index.ts";
import type { Product } from "../../../api.ts";
import { Picture } from "../../picture.tsx";
import { shop } from "../../shop.ts";
import { inputOf, PAGE_SIZE, shownBy, SORTS, titleOf } from "./model.ts";

const CATEGORIES = ["mugs", "coffee", "tea", "notebooks", "desk", "lamps", "textiles", "bags"];

export default function List() {
  const { params } = useRoute();
  const { path } = useLocation();
  const [query, change] = useQuery();
  const shown = shownBy(query, params["category"]);
  const title = titleOf(shown);
  const heading = usePage(title);
  const isFront = path === "/" && shown.page === 1 && shown.sort === undefined;
  const products = useResource(JSON.stringify(shown), signal => shop.products.list(inputOf(shown), { signal }), {
    keeps: true,
  });
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
      <div class="row ends">
        <nav class="chips" aria-label="Categories">
          <a class="chip" href="/" aria-current={path === "/" ? "page" : undefined}>
            Everything
          </a>
          {CATEGORIES.map(category => (
            <a
              key={category}
              class="chip"
              href={`/categories/${category}`}
              aria-current={shown.category === category ? "page" : undefined}
            >
              {category}
            </a>
          ))}
        </nav>
      </div>
      <Loaded of={products} skeleton={<Skeletons />}>
        {({ rows, total }) =>
          total === 0 ? (
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
              Try another word, or one of the categories above.
            </Empty>
          ) : (
            <section class="stack loose" aria-label="Products">
              <div class="row ends">
                <p class="soft small" role="status">
                  <span class="number">{new Intl.NumberFormat().format(total)}</span>{" "}
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
                  <Card key={product.id} {...product} />
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

const Card = (product: Product) => (
  <li class="product">
    <Picture product={product} />
    <h2>
      <a href={`/products/${product.id}`}>{product.name}</a>
    </h2>
    <span class="price">
      <Money {...product.price} />
    </span>
  </li>
);

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
