// An order, followed until it has ended.
import { useSignal } from "@preact/signals";
import { useRoute } from "preact-iso";
import { useEffect } from "preact/hooks";
import { ProblemError, type AnswerOf } from "../../../api.ts";
import {
  Button,
  ButtonLink,
  Dialog,
  Empty,
  Failure,
  Icon,
  Loaded,
  Money,
  Status,
  Time,
  toast,
  usePage,
  useResource,
  type Resource,
} from "../../../kit/index.ts";
import { signInAt } from "../../back.ts";
import { cart, refreshCart } from "../../cart.ts";
import { session, shop } from "../../shop.ts";
import { canCancel, isOver, saysOf, stepsOf, wayOnFrom, wordOf } from "./model.ts";

type Order = AnswerOf<typeof shop.orders.get>;

export default function OrderPage() {
  const { params } = useRoute();
  const id = params["id"]!;
  const user = session.user.value?.id ?? "";
  const order = useResource(`${id} ${user}`, signal => shop.orders.get(id, { signal }));
  const { status, code } = order.error ?? {};
  if (user === "" || status === 401) return <SignInFirst id={id} />;
  if (code === "ORDER_NOT_FOUND" || status === 422) return <NoOrder />;
  return (
    <>
      {order.data === undefined && <h1 class="unseen">Order</h1>}
      <Loaded of={order}>{data => <Ordered key={id} order={data} resource={order} />}</Loaded>
    </>
  );
}

const SIGN_IN = "Sign in to see this order";
const SignInFirst = ({ id }: { readonly id: string }) => (
  <Empty
    title={SIGN_IN}
    heading={usePage(SIGN_IN)}
    icon="lock"
    action={
      <ButtonLink kind="primary" href={signInAt(`/orders/${id}`)}>
        Sign in
      </ButtonLink>
    }
  >
    It belongs to an account.
  </Empty>
);

const NONE = "There is no such order";
const NoOrder = () => (
  <Empty
    title={NONE}
    heading={usePage(NONE)}
    action={
      <ButtonLink kind="primary" href="/orders">
        See your orders
      </ButtonLink>
    }
  >
    The address is not quite right, or the order belongs to another account.
  </Empty>
);

/** Follows the order until it has ended; what cuts it for good is answered. */
function useFollowed(order: Order, resource: Resource<Order>) {
  const cut = useSignal<ProblemError>();
  const again = useSignal(0);
  const { id } = order;
  useEffect(() => {
    if (isOver(order.status)) return undefined;
    const ended = new AbortController();
    const follow = async (): Promise<void> => {
      let latest = order;
      for await (const { at: _at, ...change } of shop.orders.follow(id, {
        after: order.version,
        signal: ended.signal,
      })) {
        latest = { ...latest, ...(change as Partial<Order>) };
        resource.set(latest);
        if (change.status === "rejected" || change.status === "cancelled") void cartReturned(ended.signal);
      }
    };
    cut.value = undefined;
    follow().catch((error: unknown) => {
      if (!ended.signal.aborted && error instanceof ProblemError) cut.value = error;
    });
    return () => ended.abort();
  }, [id, again.value]);
  return { cut: cut.value, followAgain: () => void again.value++ };
}

/** Milliseconds after which the cart is looked at: the account gets it back a moment after the order has ended. */
const RETURNED_AFTER_MS = [200, 800, 2_000, 5_000];
async function cartReturned(signal: AbortSignal): Promise<void> {
  for (const afterMs of RETURNED_AFTER_MS) {
    await new Promise(resolve => setTimeout(resolve, afterMs));
    if (signal.aborted) return;
    await refreshCart().catch(() => {});
    if (cart.peek().length > 0) return;
  }
}

function Ordered({ order, resource }: { readonly order: Order; readonly resource: Resource<Order> }) {
  const { cut, followAgain } = useFollowed(order, resource);
  const { title, text } = saysOf(order);
  const heading = usePage(title);
  const [word, tone] = wordOf(order.status);
  const steps = stepsOf(order.status);
  return (
    <div class="stack loose">
      <div class="stack tight">
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        <p role="status">
          <Status tone={tone}>{word}</Status> <span>{text}</span>
        </p>
        <p class="soft small">
          Order <span class="mono">{order.id}</span>, <Time at={order.placedAt} />
        </p>
      </div>
      {cut && (
        <Failure
          error={{ message: "This page no longer follows the order", requestId: cut.requestId }}
          onRetry={followAgain}
        />
      )}
      {order.status === "rejected" && <WayOn order={order} />}
      <div class="with-side">
        <div class="stack loose">
          {steps.length > 0 && (
            <ol class="steps card" aria-label="How far it is">
              {steps.map(({ word: step, says, state }) => (
                <li key={step} class={state} aria-current={state === "now" ? "step" : undefined}>
                  <span class="dot">{state === "done" && <Icon name="check" />}</span>
                  <span>
                    <strong>{step}</strong>
                    {state === "done" && <span class="unseen"> (done)</span>}
                    {state !== "next" && <span class="soft small"> {says}</span>}
                  </span>
                </li>
              ))}
            </ol>
          )}
          {order.trackingId !== undefined && (
            <p class="notice good">
              <span>
                Tracking number <code>{order.trackingId}</code>
              </span>
            </p>
          )}
          <Lines order={order} />
        </div>
        <Side order={order} resource={resource} />
      </div>
    </div>
  );
}

function WayOn({ order }: { readonly order: Order }) {
  const [href, label] = wayOnFrom(order);
  return (
    <div class="row">
      <ButtonLink kind="primary" href={href}>
        {label}
      </ButtonLink>
      <ButtonLink href="/">To the shop</ButtonLink>
    </div>
  );
}

const Lines = ({ order: { status, lines, total } }: { readonly order: Order }) => (
  <section class="stack" aria-label="Things of this order">
    <h2>{status === "rejected" ? "What you wanted" : "What you ordered"}</h2>
    <ul class="sums">
      {lines.map(({ productId, name, quantity, unitPrice }) => (
        <li key={productId} class="row ends nowrap">
          <span>
            {quantity} × <a href={`/products/${productId}`}>{name}</a>
          </span>
          <Money amount={unitPrice.amount * quantity} currency={unitPrice.currency} />
        </li>
      ))}
      <li class="row ends">
        <strong>Total</strong>
        <strong>
          <Money {...total} />
        </strong>
      </li>
    </ul>
  </section>
);

function Side({ order, resource }: { readonly order: Order; readonly resource: Resource<Order> }) {
  const { name, company, line1, line2, postalCode, city, region, country } = order.shippingAddress;
  const rows = [
    name,
    company,
    line1,
    line2,
    [postalCode, city].filter(Boolean).join(" "),
    region,
    countryName(country),
  ];
  return (
    <aside class="stack">
      <section class="card stack tight">
        <h2>Where it goes</h2>
        <address>
          {rows.filter(Boolean).map((row, n) => (
            <span key={n}>{row}</span>
          ))}
        </address>
      </section>
      {order.refunds?.map(({ id, amount, status }) => (
        <p class="notice" key={id}>
          <span>
            {status === "refunded"
              ? "Given back: "
              : status === "failed"
                ? "Could not be given back: "
                : "Is given back: "}
            <Money {...amount} />
          </span>
        </p>
      ))}
      {canCancel(order.status) && <Cancel order={order} resource={resource} />}
      <ButtonLink href="/orders" kind="quiet">
        See all your orders
      </ButtonLink>
    </aside>
  );
}
const countryName = (code: string): string => new Intl.DisplayNames(undefined, { type: "region" }).of(code) ?? code;

function Cancel({ order: { id }, resource }: { readonly order: Order; readonly resource: Resource<Order> }) {
  const open = useSignal(false);
  const busy = useSignal(false);
  const wrong = useSignal<ProblemError>();
  const cancel = async (): Promise<void> => {
    busy.value = true;
    wrong.value = undefined;
    try {
      await shop.orders.cancel({ id });
      open.value = false;
      resource.reload();
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      if (error.code === "ORDER_CONFIRMED") {
        open.value = false;
        toast("It is confirmed already, and can no longer be cancelled.");
        resource.reload();
      } else wrong.value = error;
    } finally {
      busy.value = false;
    }
  };
  return (
    <>
      <Button kind="danger" onClick={() => (open.value = true)}>
        Cancel this order
      </Button>
      <Dialog title="Cancel this order?" open={open.value} onClose={() => (open.value = false)}>
        <p>Nothing is charged, and what was set aside goes back on the shelf.</p>
        {wrong.value && <Failure error={wrong.value} />}
        <footer>
          <Button onClick={() => (open.value = false)}>Keep the order</Button>
          <Button kind="danger" busy={busy.value} onClick={cancel}>
            Cancel the order
          </Button>
        </footer>
      </Dialog>
    </>
  );
}
