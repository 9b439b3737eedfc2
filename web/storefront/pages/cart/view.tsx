import { Button, ButtonLink, Empty, Money, toast, usePage } from "../../../kit/index.ts";
import { Icon } from "../../../kit/icon.tsx";
import { cart, countOf, totalOf, withQuantity, type Line } from "../../cart.ts";
import { Picture } from "../../picture.tsx";
import { Quantity } from "../../quantity.tsx";

export default function CartPage() {
  const heading = usePage("Cart");
  const lines = cart.value;
  const total = totalOf(lines);
  return (
    <div class="stack loose">
      <h1 ref={heading} tabIndex={-1}>
        Cart
      </h1>
      {lines.length === 0 ? (
        <Empty
          title="Your cart is empty"
          icon="cart"
          action={
            <ButtonLink href="/" kind="primary">
              See everything
            </ButtonLink>
          }
        >
          What you add is kept here, on this device, until you order it.
        </Empty>
      ) : (
        <div class="with-side">
          <ul class="lines" aria-label="In the cart">
            {lines.map(line => (
              <Row key={line.product.id} {...line} />
            ))}
          </ul>
          <section class="card stack" aria-label="Total">
            <div class="row ends baseline">
              <h2>Total</h2>
              {total && (
                <span class="price">
                  <Money {...total} />
                </span>
              )}
            </div>
            <p class="soft small">
              {countOf(lines)} {countOf(lines) === 1 ? "thing" : "things"}. Prices and stock are checked again before
              you pay.
            </p>
          </section>
        </div>
      )}
    </div>
  );
}

function Row({ product, quantity }: Line) {
  const remove = (): void => {
    const before = cart.peek();
    cart.value = withQuantity(before, product, 0);
    toast(`${product.name} is out of your cart.`, { label: "Undo", run: () => (cart.value = before) });
  };
  const { amount, currency } = product.price;
  return (
    <li>
      <Picture product={product} />
      <div class="stack tight">
        <a href={`/products/${product.id}`}>{product.name}</a>
        <span class="soft small">
          <Money {...product.price} /> each
        </span>
        <div class="row">
          <Quantity
            label={product.name}
            value={quantity}
            onChange={value => (cart.value = withQuantity(cart.peek(), product, value))}
          />
          <Button kind="quiet" size="small" aria-label={`Remove ${product.name}`} onClick={remove}>
            <Icon name="close" /> Remove
          </Button>
        </div>
      </div>
      <span class="price">
        <Money amount={amount * quantity} currency={currency} />
      </span>
    </li>
  );
}
