import { Button, ButtonLink, Empty, Failure, Icon, Money, toast, usePage } from "../../../kit/index.ts";
import { setQuantity } from "../../cart.ts";
import { countOf, isBlocked, thingsSay, totalOf, type CheckedLine } from "../../cart-lines.ts";
import { Changes, useCartNow } from "../../now.tsx";
import { Picture } from "../../picture.tsx";
import { Quantity } from "../../quantity.tsx";
import { session } from "../../shop.ts";

export default function CartPage() {
  const heading = usePage("Cart");
  const { lines, now } = useCartNow();
  const total = totalOf(lines);
  const blocked = isBlocked(lines);
  return (
    <div class="stack loose">
      <h1 ref={heading} tabIndex={-1}>
        Cart
      </h1>
      {now.error && <Failure error={now.error} asOf={now.asOf} onRetry={now.reload} />}
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
          {session.user.value
            ? "What you add is kept with your account, on every device."
            : "What you add is kept here, on this device, and comes along when you sign in."}
        </Empty>
      ) : (
        <div class="with-side">
          <ul class="lines" aria-label="In the cart">
            {lines.map((line, at) => (
              <Row key={line.product.id} line={line} at={at} onRemove={() => heading.current?.focus()} />
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
              {thingsSay(countOf(lines))}.{" "}
              {total ? "Prices and stock are checked again when you order." : "They are priced in several currencies."}
            </p>
            {blocked && (
              <p class="small" role="status">
                Something has changed: see the lines that are marked. The rest can be ordered without them.
              </p>
            )}
            {total && !blocked && (
              <ButtonLink kind="primary" full href="/checkout">
                To the checkout
              </ButtonLink>
            )}
            {!total && <p class="small">Order the things of one currency first, and then the others.</p>}
          </section>
        </div>
      )}
    </div>
  );
}

interface RowProps {
  readonly line: CheckedLine;
  readonly at: number;
  /** The focus needs another place. */
  readonly onRemove: () => void;
}
function Row({ line, at, onRemove }: RowProps) {
  const { product, quantity } = line;
  const remove = (): void => {
    setQuantity(product, 0);
    toast(`${product.name} is out of your cart.`, { label: "Undo", run: () => setQuantity(product, quantity, at) });
    onRemove();
  };
  const { amount, currency } = product.price;
  return (
    <li>
      <Picture product={product} sizes="5.5rem" />
      <div class="stack tight">
        <a href={`/products/${product.id}`}>{product.name}</a>
        <span class="soft small">
          <Money {...product.price} /> each
        </span>
        <Changes {...line} />
        <div class="row">
          <Quantity label={product.name} value={quantity} onChange={value => setQuantity(product, value)} />
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
