// A page that was open during a release asks for a part that is gone. It is loaded anew, once: the HTML names the new parts. Without a
// line nothing is loaded anew: what is on the screen is all that there is.
const RELOADED = "reloaded-at";
/** Milliseconds within which a second failure is no release but something else. */
const AGAIN_MS = 30_000;

export function reloadOnRelease(): void {
  addEventListener("vite:preloadError", event => {
    const last = Number(sessionStorage.getItem(RELOADED) ?? 0);
    if (!navigator.onLine || Date.now() - last < AGAIN_MS) return;
    event.preventDefault();
    sessionStorage.setItem(RELOADED, `${Date.now()}`);
    location.reload();
  });
}
