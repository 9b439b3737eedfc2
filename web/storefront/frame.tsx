import { signal, type ReadonlySignal } from "@preact/signals";
import { useLocation } from "preact-iso";
import { useEffect, useState } from "preact/hooks";
import { afterHydration, ButtonLink, Icon, isBrowser, textIn, ThemeSwitch, toast } from "../kit/index.ts";
import { Button } from "../kit/button.tsx";
import { cart, forgetCart } from "./cart.ts";
import { countOf } from "./cart-lines.ts";
import { forgetDraft } from "./draft.ts";
import { signInAt } from "./back.ts";
import { session } from "./shop.ts";

export function Header() {
  const { url, query, route } = useLocation();
  const search = (event: SubmitEvent): void => {
    event.preventDefault();
    const q = textIn(event, "q").trim();
    route(q ? `/search?${new URLSearchParams({ q })}` : "/");
  };
  const signOut = async (): Promise<void> => {
    try {
      await session.signOut();
    } catch {
      return toast("You are still signed in: the shop does not answer. Try it again.");
    }
    // What was the account's stays with the account.
    forgetCart();
    forgetDraft();
    toast("You are signed out.");
    route("/");
  };
  const user = session.user.value;
  const count = countOf(cart.value);
  return (
    <header class="top">
      <div class="top-in">
        <a class="brand" href="/" aria-label="Valence, to the shop">
          <Mark /> <span>Valence</span>
        </a>
        <form class="search" role="search" action="/search" onSubmit={search}>
          <Icon name="search" />
          <input
            class="input"
            type="search"
            name="q"
            aria-label="Search the shop"
            placeholder="Mugs, coffee, notebooks …"
            maxLength={100}
            key={query["q"] ?? ""}
            defaultValue={query["q"] ?? ""}
          />
        </form>
        <nav class="row account" aria-label="Yours">
          {user ? (
            <>
              <ButtonLink kind="quiet" href="/orders">
                <Icon name="box" /> <span class="roomy">Orders</span>
              </ButtonLink>
              <Button kind="quiet" onClick={signOut}>
                <Icon name="person" /> <span class="roomy">Sign out</span>
              </Button>
            </>
          ) : (
            <ButtonLink kind="quiet" href={signInAt(url)}>
              <Icon name="person" /> <span class="roomy">Sign in</span>
            </ButtonLink>
          )}
          <ButtonLink kind="quiet" href="/cart">
            <Icon name="cart" /> <span class="roomy">Cart</span>
            {count > 0 && (
              <span class="count">
                {count}
                <span class="unseen"> {count === 1 ? "thing" : "things"}</span>
              </span>
            )}
          </ButtonLink>
        </nav>
      </div>
    </header>
  );
}

const isOffline = signal(false);
if (isBrowser) {
  afterHydration(() => (isOffline.value = !navigator.onLine));
  addEventListener("offline", () => (isOffline.value = true));
  addEventListener("online", () => (isOffline.value = false));
}

/** Said once for all pages: each goes on by itself when the line is back. */
export const Offline = () => (
  <div class="offline" role="status">
    {isOffline.value && <p>You are offline. What you see may be old; nothing that you have typed is lost.</p>}
  </div>
);

/** Milliseconds before the way to another page is said: most are there at once. */
const GOING_MS = 150;
/** The code of another page is on its way, on a slow line. */
export function Going({ going }: { readonly going: ReadonlySignal<boolean> }) {
  const [isLong, setLong] = useState(false);
  const isGoing = going.value;
  useEffect(() => {
    if (!isGoing) return setLong(false);
    const timer = setTimeout(() => setLong(true), GOING_MS);
    return () => clearTimeout(timer);
  }, [isGoing]);
  return (
    <div class="going" role="status">
      {isLong && <span class="unseen">Loading the page</span>}
    </div>
  );
}

export const Footer = () => (
  <footer class="foot">
    <div class="foot-in">
      <span class="soft small">Valence, a shop on event-sourced actors</span>
      <nav class="row small" aria-label="More">
        <a href="/docs">API</a>
        <a href="/console">Console</a>
        <ThemeSwitch />
      </nav>
    </div>
  </footer>
);

export const Mark = () => (
  <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
    <rect width="32" height="32" rx="8" />
    <path d="M8 9l8 14 8-14" />
  </svg>
);
