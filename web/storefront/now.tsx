// The cart as it is now: prices and stock are looked at again where they matter, and what has changed is named.
import { useEffect, useRef } from "preact/hooks";
import { Button, Icon, moneyText, useResource, type Resource } from "../kit/index.ts";
import { cart, cartNow, refreshCart, setQuantity } from "./cart.ts";
import { checked, type Change, type CheckedLine, type Now } from "./cart-lines.ts";
import { session } from "./shop.ts";

/** Until `now` has data, the lines are as they were shown last. */
export function useCartNow(): { readonly lines: readonly CheckedLine[]; readonly now: Resource<Now> } {
  const user = session.user.value?.id ?? "";
  const ids = cart.value.map(({ product }) => product.id).join();
  const now = useResource(
    `${user} ${ids}`,
    async signal => {
      await refreshCart();
      return cartNow(cart.peek(), signal);
    },
    { keeps: true },
  );
  const lines = checked(cart.value, now.data ?? NOTHING);
  // A price that has changed is named until one leaves the page: then it is known.
  const shown = useRef(lines);
  shown.current = lines;
  useEffect(
    () => () => {
      const known = new Map(shown.current.map(({ product }) => [product.id, product]));
      cart.value = cart.peek().map(line => ({ ...line, product: known.get(line.product.id) ?? line.product }));
    },
    [],
  );
  return { lines, now };
}
const NOTHING: Now = { products: [], gone: [], available: {} };

/** What has changed about a line, and the way on. */
export const Changes = ({ product, changes }: CheckedLine) => (
  <>
    {changes.map(change => (
      <div class={change.kind === "price" ? "changed" : "changed bad"} key={change.kind}>
        <Icon name="warning" /> <span>{sayOf(change, moneyText(product.price))}</span>
        {change.kind === "short" && (
          <Button size="small" onClick={() => setQuantity(product, change.left!)}>
            Take {change.left}
          </Button>
        )}
      </div>
    ))}
  </>
);

function sayOf({ kind, left, before }: Change, price: string): string {
  if (kind === "gone") return "No longer in the shop. Remove it to order the rest.";
  if (kind === "sold-out") return "Sold out. Remove it to order the rest.";
  if (kind === "short") return `Only ${left} left.`;
  return `It was ${moneyText(before!)} and is ${price} now.`;
}
