import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
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
import { cart, setQuantity } from "../../cart.ts";
import { QUANTITY_MAX, quantityOf } from "../../cart-lines.ts";
import { Picture } from "../../picture.tsx";
import { Quantity } from "../../quantity.tsx";
import { shop } from "../../shop.ts";
import { productKey } from "./model.ts";

export default function ProductPage() {
  const { params } = useRoute();
  const id = params["id"]!;
  const product = useResource(productKey(id), signal => shop.products.get(id, { signal }));
  // An id that is none (422) is one that there is not, too.
  const isGone = product.error?.status === 404 || product.error?.status === 422;
  const heading = usePage(isGone ? GONE : (product.data?.name ?? ""));
  if (isGone)
    return (
      <Empty
        title={GONE}
        heading={heading}
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
    <>
      {product.data === undefined && <h1 class="unseen">Product</h1>}
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
              <Picture product={data} sizes="(max-width: 720px) 90vw, 40rem" isFirst />
              <div class="stack">
                <h1 ref={heading} tabIndex={-1}>
                  {data.name}
                </h1>
                <p class="price">
                  <Money {...data.price} />
                </p>
                <Buy key={data.id} product={data} />
                <p class="soft small">
                  Article <span class="mono">{data.sku}</span>
                </p>
              </div>
            </div>
          </div>
        )}
      </Loaded>
    </>
  );
}

const GONE = "This product is gone";

/** Milliseconds between two looks at the shelf. */
const LOOKS_MS = 15_000;

/** What is on the shelf, looked at again while the page is seen: what was there a minute ago may be gone. */
function useStock(sku: string) {
  const stock = useResource(sku, signal => shop.stock.get({ sku }, { signal }));
  useEffect(() => {
    const timer = setInterval(() => {
      if (document.visibilityState === "visible") stock.reload();
    }, LOOKS_MS);
    return () => clearInterval(timer);
  }, [sku]);
  const available = stock.error?.code === "STOCK_NOT_FOUND" ? 0 : stock.data?.available;
  return { available, isUnknown: available === undefined && stock.error !== undefined };
}

function Buy({ product }: { readonly product: Product }) {
  const { available, isUnknown } = useStock(product.sku);
  return (
    <>
      <p role="status">
        {available === undefined ? (
          <Status tone="idle">{isUnknown ? "Stock not known just now" : "Looking at the shelf …"}</Status>
        ) : available <= 0 ? (
          <Status tone="bad">Sold out</Status>
        ) : available < 10 ? (
          <Status tone="warn">Only {available} left</Status>
        ) : (
          <Status tone="good">In stock</Status>
        )}
      </p>
      {available !== undefined && available <= 0 ? (
        <p class="soft">
          There is none at the moment. <a href={`/categories/${encodeURIComponent(product.category)}`}>See what else</a>{" "}
          there is in {product.category}.
        </p>
      ) : (
        <Add product={product} available={available ?? QUANTITY_MAX} />
      )}
      <p class="described">{product.description}</p>
    </>
  );
}

function Add({ product, available }: { readonly product: Product; readonly available: number }) {
  const quantity = useSignal(1);
  const { route } = useLocation();
  const has = quantityOf(cart.value, product.id);
  const left = Math.min(available, QUANTITY_MAX) - has;
  const add = (): void => {
    setQuantity(product, has + Math.min(quantity.value, left));
    toast(`${product.name} is in your cart.`, { label: "See the cart", run: () => route("/cart") });
    quantity.value = 1;
  };
  return (
    <>
      <div class="row">
        <Quantity
          label={product.name}
          value={Math.min(quantity.value, Math.max(1, left))}
          max={Math.max(1, left)}
          onChange={value => (quantity.value = value)}
        />
        <Button kind="primary" disabled={left <= 0} onClick={add}>
          Add to cart
        </Button>
      </div>
      {has > 0 && (
        <p class="soft small">
          {left > 0 ? `${has} of it in your cart.` : `All ${has} that there are, are in your cart.`}{" "}
          <a href="/cart">See the cart</a>
        </p>
      )}
    </>
  );
}

const Skeletons = () => (
  <div class="stack loose" role="status" aria-label="Loading the product">
    <div class="crumbs">
      <Skeleton width="short" />
    </div>
    <div class="detail">
      <span class="skeleton picture" />
      <div class="stack">
        <Skeleton />
        <Skeleton width="short" />
        <Skeleton width="middle" />
      </div>
    </div>
  </div>
);
