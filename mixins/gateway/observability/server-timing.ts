// `Server-Timing` for administrators: how long their request was in each step of the pipeline, so that a slow answer can be
// told apart in the browser's own network panel. Others do not get it: times tell a stranger what a service does.
import type { Mark, Step } from "../exchange.ts";

/** Milliseconds below which a step is left out. */
const SHOWN_MS = 0.01;

/**
 * Adds the header, to a refusal too once it is known who asks. `names` are those of all steps in their order; `marks` of an exchange has when each of them began. The
 * time of a step is the time until the next one begins, so the last one's is that of the action and of the way back.
 */
export const tellTimes =
  (names: readonly string[]): Step =>
  (exchange, next) => {
    const { res, marks } = exchange;
    // A public route asks nobody who they are: its answer may be kept for others.
    const times = (): string | undefined =>
      (exchange.caller.user.roles as readonly string[]).includes("admin")
        ? timing(names, marks, performance.now())
        : undefined;
    return next().then(
      answer => {
        const spent = answer && times();
        return spent === undefined ? answer : { ...answer!, headers: { ...answer!.headers, "Server-Timing": spent } };
      },
      (error: unknown) => {
        const spent = times();
        if (spent !== undefined && !res.headersSent) res.setHeader("Server-Timing", spent);
        throw error;
      },
    );
  };

export function timing(names: readonly string[], marks: readonly Mark[], now: number): string {
  const steps = marks.flatMap(({ at, began }, i) => {
    const ms = (marks[i + 1]?.began ?? now) - began;
    return ms < SHOWN_MS ? [] : [`${names[at]};dur=${ms.toFixed(2)}`];
  });
  return [...steps, `total;dur=${(now - marks[0]!.began).toFixed(2)}`].join(", ");
}
