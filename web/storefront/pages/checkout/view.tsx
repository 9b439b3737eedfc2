// The checkout. An order is an attempt with one key: it is in the tab's storage before it is sent and until its answer has come, so that a
// lost answer, a reload or a sign-in in between never order twice.
import { useSignal } from "@preact/signals";
import { useLocation } from "preact-iso";
import { useEffect, useRef } from "preact/hooks";
import { ProblemError } from "../../../api.ts";
import {
  Button,
  ButtonLink,
  Empty,
  Failure,
  Field,
  focusFault,
  Money,
  moneyText,
  Select,
  SkeletonRows,
  usePage,
} from "../../../kit/index.ts";
import { registerAt, signInAt } from "../../back.ts";
import { cartSettled, forgetCart } from "../../cart.ts";
import { isBlocked, totalOf, type CheckedLine } from "../../cart-lines.ts";
import { attempt, draft, type Attempt } from "../../draft.ts";
import { Changes, useCartNow } from "../../now.tsx";
import { session, shop } from "../../shop.ts";
import { countryOf, namedCountries } from "./countries.ts";
import { asksPostalCode, CARDS, faultsIn, isDecided, orderOf, outcomeOf, type Faults, type Outcome } from "./model.ts";

export default function Checkout() {
  const heading = usePage("Checkout");
  return (
    <div class="stack loose">
      <h1 ref={heading} tabIndex={-1}>
        Checkout
      </h1>
      {session.user.value ? <Order customer={session.user.value} /> : <SignInFirst />}
    </div>
  );
}

const SignInFirst = () => (
  <Empty
    title="Sign in to order"
    icon="lock"
    action={
      <div class="row">
        <ButtonLink kind="primary" href={signInAt("/checkout")}>
          Sign in
        </ButtonLink>
        <ButtonLink href={registerAt("/checkout")}>Make an account</ButtonLink>
      </div>
    }
  >
    {attempt.value
      ? "Your session is over. Sign in again to see whether your order was placed; it is not placed twice."
      : "Your cart comes along, and what you have typed stays here."}
  </Empty>
);

function Order({ customer }: { readonly customer: { readonly id: string; readonly name: string } }) {
  const { lines, now } = useCartNow();
  const placing = usePlacing(customer.id);
  if (placing.pending)
    return <Pending busy={placing.busy} requestId={placing.requestId} onAsk={() => placing.send(placing.pending!)} />;
  if (lines.length === 0)
    return now.data === undefined && !now.error ? (
      <SkeletonRows />
    ) : (
      <>
        {now.error && <Failure error={now.error} onRetry={now.reload} />}
        <Empty
          title="There is nothing to order"
          icon="cart"
          action={
            <div class="row">
              <ButtonLink href="/" kind="primary">
                To the shop
              </ButtonLink>
              <ButtonLink href="/orders">See your orders</ButtonLink>
            </div>
          }
        >
          Your cart is empty.
        </Empty>
      </>
    );
  return (
    <Form {...{ customer, lines, placing }} failure={now.error} onRetry={now.reload} isKnown={now.data !== undefined} />
  );
}

type Placing = ReturnType<typeof usePlacing>;

/** Sends attempts, and says how the last one ended. */
function usePlacing(customer: string) {
  const { route } = useLocation();
  const busy = useSignal(false);
  const outcome = useSignal<Outcome>();
  const requestId = useSignal<string>();
  /** Key of an attempt that is sent for the first time: the form stays meanwhile. */
  const first = useSignal<string>();
  // Another account's attempt is not this one's to ask about.
  const found = attempt.value?.customer === customer ? attempt.value : undefined;

  const send = async (next: Attempt): Promise<void> => {
    if (busy.value) return;
    const wasSent = attempt.peek()?.key === next.key;
    busy.value = true;
    outcome.value = undefined;
    first.value = wasSent ? undefined : next.key;
    try {
      await cartSettled();
      attempt.value = next;
      const { id } = await shop.orders.place(next.input, { key: next.key });
      attempt.value = null;
      // The order has taken the account's cart.
      forgetCart();
      route(`/orders/${id}`);
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      const ended = outcomeOf(error, wasSent);
      // What was never sent before and is not done now needs no memory.
      if (
        isDecided(error) ||
        !(ended.kind === "unknown" || (ended.kind === "session" && (wasSent || error.outcome === "unknown")))
      )
        attempt.value = null;
      if (ended.kind === "unknown") requestId.value = ended.requestId;
      outcome.value = ended;
    } finally {
      busy.value = false;
      first.value = undefined;
    }
  };
  return {
    busy: busy.value,
    outcome: outcome.value,
    requestId: requestId.value,
    pending: found?.key === first.value ? undefined : found,
    send,
    place: (input: Attempt["input"]) => send({ key: newKey(), input, customer }),
  };
}
const newKey = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, "0")).join("");

/** An order whose answer never came. There is one thing to do: to ask again, with the same key. */
function Pending({
  busy,
  requestId,
  onAsk,
}: {
  readonly busy: boolean;
  readonly requestId: string | undefined;
  readonly onAsk: () => void;
}) {
  return (
    <section class="card stack narrow" role="alert">
      <h2>We do not know yet whether your order was placed</h2>
      <p>
        It was sent, and the answer was lost. Ask again: the shop knows your order by its key, so it is placed once, and
        charged once.
      </p>
      {requestId !== undefined && (
        <p class="soft small">
          Request <code>{requestId}</code>
        </p>
      )}
      <div class="row">
        <Button kind="primary" busy={busy} onClick={onAsk}>
          Ask again
        </Button>
        <ButtonLink kind="quiet" href="/orders">
          See your orders
        </ButtonLink>
      </div>
    </section>
  );
}

function Form({
  customer,
  lines,
  placing,
  failure,
  onRetry,
  isKnown,
}: {
  readonly customer: { readonly name: string };
  readonly lines: readonly CheckedLine[];
  readonly placing: Placing;
  readonly failure: { readonly message: string } | undefined;
  readonly onRetry: () => void;
  /** Prices and stock are those of now. */
  readonly isKnown: boolean;
}) {
  const form = useRef<HTMLFormElement>(null);
  const faults = useSignal<Faults>({});
  /** The total that was sent last. */
  const sent = useRef<{ readonly amount: number; readonly currency: string }>(undefined);
  const { outcome, busy, place } = placing;
  const total = totalOf(lines);
  const blocked = isBlocked(lines);
  const fields = { country: countryOf(navigator.language) ?? "", name: customer.name, ...draft.value };
  const shown = faults.value;
  useEffect(() => {
    if (outcome?.kind === "fields") faults.value = outcome.faults;
    // The lines say what has changed.
    if (outcome?.kind === "price" || outcome?.kind === "cart") onRetry();
    if (outcome !== undefined) focusFault(form.current!);
  }, [outcome]);

  const keep = (): void => {
    const typed = [...new FormData(form.current!)].filter(
      (entry): entry is [string, string] => typeof entry[1] === "string",
    );
    draft.value = Object.fromEntries(typed);
  };
  const order = (expected: typeof total): void => {
    keep();
    faults.value = faultsIn(draft.peek());
    if (Object.keys(faults.peek()).length > 0) return focusFault(form.current!);
    sent.current = expected;
    if (expected !== undefined) void place(orderOf(draft.peek(), expected));
  };
  const field = (name: string) => ({
    name,
    defaultValue: fields[name as keyof typeof fields] ?? "",
    error: shown[name],
  });

  return (
    <form
      class="with-side"
      ref={form}
      noValidate
      onInput={({ target }) => {
        keep();
        // What is being mended is no longer called wrong.
        const { [(target as HTMLInputElement).name]: _mended, ...others } = faults.peek();
        faults.value = others;
      }}
      onSubmit={event => {
        event.preventDefault();
        order(total);
      }}
    >
      <div class="stack loose">
        <div role="alert" tabIndex={-1} class="stack">
          {outcome && <Refusal {...{ outcome, before: sent.current, busy }} onAgree={order} />}
        </div>
        {failure && <Failure error={failure} onRetry={onRetry} />}
        <fieldset class="card stack">
          <legend>Where it goes</legend>
          <Field label="Name" autocomplete="name" maxLength={200} required {...field("name")} />
          <Field label="Street and number" autocomplete="address-line1" maxLength={200} required {...field("line1")} />
          <Field
            label="Floor, door, company (optional)"
            autocomplete="address-line2"
            maxLength={200}
            {...field("line2")}
          />
          <div class="pair">
            <Field
              label={asksPostalCode(fields.country) ? "Postal code" : "Postal code (optional)"}
              autocomplete="postal-code"
              maxLength={20}
              {...field("postalCode")}
            />
            <Field label="Town or city" autocomplete="address-level2" maxLength={100} required {...field("city")} />
          </div>
          <Select label="Country" name="country" autocomplete="country" required error={shown["country"]}>
            <option value="">Choose one</option>
            {COUNTRIES.map(([code, name]) => (
              <option key={code} value={code} selected={code === fields.country}>
                {name}
              </option>
            ))}
          </Select>
        </fieldset>
        <fieldset class="card stack tight">
          <legend>How you pay</legend>
          <p class="soft small">These are test cards: no money moves.</p>
          {CARDS.map(([token, name, does], n) => (
            <label class="choice" key={token}>
              <input
                type="radio"
                name="card"
                value={token}
                defaultChecked={draft.value["card"] === token || (!draft.value["card"] && n === 0)}
              />
              <span>
                {name} <span class="soft small">{does}</span>
              </span>
            </label>
          ))}
        </fieldset>
      </div>
      <section class="card stack summary" aria-label="Your order">
        <h2>Your order</h2>
        <ul class="stack tight small">
          {lines.map(line => (
            <li key={line.product.id} class="stack tight">
              <span class="row ends nowrap">
                <span>
                  {line.quantity} × {line.product.name}
                </span>
                <Money amount={line.product.price.amount * line.quantity} currency={line.product.price.currency} />
              </span>
              <Changes {...line} />
            </li>
          ))}
        </ul>
        {total && (
          <div class="row ends baseline">
            <strong>Total</strong>
            <span class="price">
              <Money {...total} />
            </span>
          </div>
        )}
        {blocked || !total ? (
          <>
            <p class="small" role="status">
              {blocked
                ? "Something in your cart can no longer be ordered."
                : "Your cart has several currencies; an order has one."}
            </p>
            <ButtonLink kind="primary" full href="/cart">
              Change the cart
            </ButtonLink>
          </>
        ) : (
          <>
            <Button kind="primary" type="submit" full busy={busy} disabled={!isKnown}>
              Order and pay {moneyText(total)}
            </Button>
            <a class="small" href="/cart">
              Change the cart
            </a>
          </>
        )}
      </section>
    </form>
  );
}
const COUNTRIES = namedCountries();

/** Why an order was not placed, and the way on. */
function Refusal({
  outcome,
  before,
  busy,
  onAgree,
}: {
  readonly outcome: Outcome;
  readonly before: { readonly amount: number; readonly currency: string } | undefined;
  readonly busy: boolean;
  readonly onAgree: (total: { readonly amount: number; readonly currency: string }) => void;
}) {
  if (outcome.kind === "price")
    return (
      <div class="notice warn">
        <div>
          <strong>
            The total has changed{before && <> from {moneyText(before)}</>} to {moneyText(outcome.total)}.
          </strong>
          A price went up while you were here. Nothing was ordered yet.
        </div>
        <Button kind="primary" busy={busy} onClick={() => onAgree(outcome.total)}>
          Order for {moneyText(outcome.total)}
        </Button>
        <ButtonLink href="/cart">Look at the cart</ButtonLink>
      </div>
    );
  if (outcome.kind === "fields")
    return (
      <div class="notice bad">
        <div>Something in the address is not right: see the fields that are marked. Nothing was ordered.</div>
      </div>
    );
  if (outcome.kind === "cart")
    return (
      <div class="notice warn">
        <div>{outcome.message}</div>
        <ButtonLink href="/cart">To the cart</ButtonLink>
        <ButtonLink href="/orders">See your orders</ButtonLink>
      </div>
    );
  if (outcome.kind === "refused")
    return (
      <div class="notice bad">
        <div>
          <strong>{outcome.message}</strong>
          Nothing was ordered, and what you have typed is still here.
          {outcome.requestId !== undefined && (
            <span class="soft">
              {" "}
              Request <code>{outcome.requestId}</code>
            </span>
          )}
        </div>
      </div>
    );
  return null;
}
