import { useSignal } from "@preact/signals";
import { useLocation, useRoute } from "preact-iso";
import {
  Button,
  ButtonLink,
  Empty,
  Loaded,
  Money,
  Skeleton,
  Status,
  toast,
  usePage,
  useResource,
} from "../../../kit/index.ts";
import type { Product } from "../../../api.ts";
import { cart, quantityOf, withQuantity } from "../../cart.ts";
import { Picture } from "../../picture.tsx";
import { Quantity } from "../../quantity.tsx";
import { shop } from "../../shop.ts";

export default function ProductPage() {
  const { params } = useRoute();
  const id = params["id"]!;
  const product = useResource(id, signal => shop.products.get(id, { signal }));
  const heading = usePage(product.data?.name ?? "");
  // An id that is none (422) is one that there is not, too.
  if (product.error?.status === 404 || product.error?.status === 422)
    return (
      <Empty
        title="This product is gone"
        action={
          <ButtonLink href="/" kind="primary">
            See everything
          </ButtonLink>
        }
      >
        It is no longer in the shop, or the address is not quite right.
      </Empty>
    );
  return (
    <Loaded of={product} skeleton={<Skeletons />}>
      {data => (
        <div class="stack loose">
          <nav class="crumbs" aria-label="Where this is">
            <ol>
              <li>
                <a href="/">Shop</a>
              </li>
              <li>
                <a href={`/categories/${encodeURIComponent(data.category)}`}>{data.category}</a>
              </li>
            </ol>
          </nav>
          <div class="detail">
            <Picture product={data} large />
            <div class="stack">
              <h1 ref={heading} tabIndex={-1}>
                {data.name}
              </h1>
              <p class="price">
                <Money {...data.price} />
              </p>
              <Stock sku={data.sku} />
              <p>{data.description}</p>
              <Add product={data} />
              <p class="soft small">
                Article <span class="mono">{data.sku}</span>
              </p>
            </div>
          </div>
        </div>
      )}
    </Loaded>
  );
}

/** Never from a cache: what was there a minute ago may be gone. */
function Stock({ sku }: { readonly sku: string }) {
  const stock = useResource(sku, signal => shop.stock.get({ sku }, { signal }));
  const { available } = stock.data ?? {};
  return (
    <p role="status">
      {available === undefined ? (
        <Status tone="idle">{stock.error ? "Stock not known just now" : "Looking at the shelf …"}</Status>
      ) : available <= 0 ? (
        <Status tone="bad">Sold out</Status>
      ) : available < 10 ? (
        <Status tone="warn">Only {available} left</Status>
      ) : (
        <Status tone="good">In stock</Status>
      )}
    </p>
  );
}

function Add({ product }: { readonly product: Product }) {
  const quantity = useSignal(1);
  const { route } = useLocation();
  const add = (): void => {
    const before = cart.peek();
    cart.value = withQuantity(before, product, quantityOf(before, product.id) + quantity.value);
    toast(`${product.name} is in your cart.`, { label: "See the cart", run: () => route("/cart") });
  };
  return (
    <div class="row">
      <Quantity label={product.name} value={quantity.value} onChange={value => (quantity.value = value)} />
      <Button kind="primary" onClick={add}>
        Add to cart
      </Button>
    </div>
  );
}

const Skeletons = () => (
  <div class="detail" role="status" aria-label="Loading the product">
    <span class="skeleton picture" />
    <div class="stack">
      <Skeleton />
      <Skeleton width="short" />
      <Skeleton width="middle" />
    </div>
  </div>
);
