import { useLocation } from "preact-iso";
import { ButtonLink, Icon, textIn, ThemeSwitch, toast } from "../kit/index.ts";
import { Button } from "../kit/button.tsx";
import { cart, countOf } from "./cart.ts";
import { session } from "./shop.ts";

export function Header() {
  const { path, query, route } = useLocation();
  const search = (event: SubmitEvent): void => {
    event.preventDefault();
    const q = textIn(event, "q").trim();
    route(q ? `/search?${new URLSearchParams({ q })}` : "/");
  };
  const user = session.user.value;
  const count = countOf(cart.value);
  return (
    <header class="top">
      <div class="top-in">
        <a class="brand" href="/" aria-label="Valence, to the shop">
          <Mark /> <span>Valence</span>
        </a>
        <form class="search" role="search" onSubmit={search}>
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
            <Button
              kind="quiet"
              onClick={async () => {
                await session.signOut();
                toast("You are signed out.");
              }}
            >
              <Icon name="person" /> <span class="roomy">Sign out {user.name}</span>
            </Button>
          ) : (
            <ButtonLink
              kind="quiet"
              href={path === "/sign-in" ? "/sign-in" : `/sign-in?${new URLSearchParams({ back: path })}`}
            >
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
