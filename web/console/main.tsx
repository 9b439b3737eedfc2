// The operations console: the frame around every screen. Nobody who is not signed in sees more than the sign-in; what they may do the
// API decides.
import { useSignal } from "@preact/signals";
import { render } from "preact";
import { ErrorBoundary, lazy, LocationProvider, Route, Router, useLocation } from "preact-iso";
import { useEffect } from "preact/hooks";
import { Button, Check, Icon, reloadOnRelease, showsUtc, ThemeSwitch, Toasts } from "../kit/index.ts";
import "./console.css";
import { session } from "./console.ts";
import { Keys, opened } from "./parts/keys.tsx";
import { listenToTopics } from "./parts/live.ts";
import { LiveBar } from "./parts/live-bar.tsx";
import { SignIn } from "./pages/sign-in/view.tsx";
import { screens } from "./screens.ts";

const Gone = lazy(() => import("./pages/gone.tsx"));

function App() {
  if (session.user.value === null)
    return (
      <>
        <SignIn />
        <Toasts />
      </>
    );
  return (
    <LocationProvider scope="/console">
      <a class="skip" href="#content">
        Skip to the content
      </a>
      <div class="console">
        <Side />
        <main id="content" class="screen" tabIndex={-1}>
          <ErrorBoundary>
            <Router>
              {screens.map(({ path, view }) => (
                <Route key={path} path={path} component={view} />
              ))}
              <Route default component={Gone} />
            </Router>
          </ErrorBoundary>
        </main>
      </div>
      <Keys />
      <Toasts />
    </LocationProvider>
  );
}

/** Whether a path is a screen's own, or that of a thing in it. */
const isWithin = (path: string, screen: string): boolean =>
  path === screen || (screen !== "/console" && path.startsWith(`${screen}/`));

function Side() {
  const { path } = useLocation();
  const open = useSignal(false);
  useEffect(() => void (open.value = false), [path]);
  useListening();
  return (
    <header class="side">
      <div class="row ends side-head">
        <a class="brand" href="/console">
          <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
            <rect width="32" height="32" rx="8" />
            <path d="M8 9l8 14 8-14" />
          </svg>
          Console
        </a>
        <LiveBar />
        <span class="narrow-only">
          <Button
            kind="quiet"
            square
            aria-label="Menu"
            aria-expanded={open.value}
            aria-controls="menu"
            onClick={() => (open.value = !open.value)}
          >
            <Icon name={open.value ? "close" : "menu"} />
          </Button>
        </span>
      </div>
      <div id="menu" class={open.value ? "menu open" : "menu"}>
        <nav aria-label="Screens">
          <ul>
            {screens.map(
              ({ label, path: to, icon }) =>
                label !== undefined && (
                  <li key={to}>
                    <a href={to} aria-current={isWithin(path, to) ? "page" : undefined}>
                      <Icon name={icon} /> {label}
                    </a>
                  </li>
                ),
            )}
          </ul>
        </nav>
        <div class="stack tight side-foot">
          <Button size="small" aria-keyshortcuts="Control+K" onClick={() => (opened.value = "find")}>
            Find anything <kbd>Ctrl K</kbd>
          </Button>
          <Check
            label="Times in UTC"
            checked={showsUtc.value}
            onChange={({ currentTarget }) => (showsUtc.value = currentTarget.checked)}
          />
          <ThemeSwitch />
          <p class="small soft">{session.user.value?.email}</p>
          <Button size="small" onClick={() => session.signOut()}>
            Sign out
          </Button>
        </div>
      </div>
    </header>
  );
}

/** Milliseconds after which the stream is opened: the screen's own requests go first. */
const LISTENS_AFTER_MS = 1_000;

/** Hears of changes as long as somebody is signed in. */
function useListening(): void {
  useEffect(() => {
    let leave = (): void => {};
    const timer = setTimeout(() => (leave = listenToTopics()), LISTENS_AFTER_MS);
    return () => {
      clearTimeout(timer);
      leave();
    };
  }, []);
}

reloadOnRelease();
void session.restore();
render(<App />, document.getElementById("app")!);
