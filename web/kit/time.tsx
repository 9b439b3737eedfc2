// A moment: how long ago, with the exact time and its zone beside it for whoever points or asks. One switch for all: UTC or the
// browser's zone, remembered.
import { signal } from "@preact/signals";
import { ago } from "./ago.ts";
import { kept } from "./kept.ts";
import { isBrowser } from "./prerendered.ts";

export const showsUtc = kept("utc", false);

/** Now, in steps that are fine enough for words such as `3 minutes ago`. */
const now = signal(Date.now());
if (isBrowser) {
  setInterval(() => {
    if (document.visibilityState === "visible") now.value = Date.now();
  }, 10_000);
  document.addEventListener("visibilitychange", () => (now.value = Date.now()));
}

const exact = (moment: Date): string =>
  new Intl.DateTimeFormat(undefined, {
    dateStyle: "medium",
    timeStyle: "medium",
    ...(showsUtc.value && { timeZone: "UTC" }),
  }).format(moment) + (showsUtc.value ? " UTC" : "");

const clock = (moment: Date): string =>
  new Intl.DateTimeFormat(undefined, {
    timeStyle: "medium",
    ...(showsUtc.value && { timeZone: "UTC" }),
  }).format(moment);

/** `at`: RFC 3339. `shows`: the exact time in place of how long ago, or the time of the day; the other is the title. */
export function Time({ at, shows = "ago" }: { readonly at: string; readonly shows?: "ago" | "exact" | "clock" }) {
  const moment = new Date(at);
  const [relative, absolute] = [ago(moment.getTime(), now.value), exact(moment)];
  return (
    <time dateTime={at} title={shows === "exact" ? relative : absolute} class="number">
      {shows === "ago" ? relative : shows === "exact" ? absolute : clock(moment)}
    </time>
  );
}
