// Brokers and databases that a test file has made and must not leave behind. A file that fails in a hook never reaches
// its own clean-up; jest's environment (jest/environment.ts) then runs what is listed here, last made first.
import { setTimeout as sleep } from "node:timers/promises";

type CleanUp = () => Promise<void>;

const KEY = Symbol.for("valence.testing.clean-ups");
type WithList = { [KEY]?: Set<CleanUp> };

/** Milliseconds that one clean-up may take at the end of a file: a broker whose server is gone may never stop. */
const CLEAN_UP_MS = 15_000;

/** Runs it at the end of the test file, unless the test has run it by then. Answers the same function, which runs once. */
export function atEndOfFile(cleanUp: CleanUp): CleanUp {
  const list = ((globalThis as WithList)[KEY] ??= new Set());
  let run: Promise<void> | undefined;
  const once: CleanUp = () => {
    list.delete(once);
    return (run ??= cleanUp());
  };
  list.add(once);
  return once;
}

/**
 * Runs the clean-ups that the file with these globals has left, the last first. An error does not keep the others from
 * running.
 */
export async function cleanUp(globals: object): Promise<void> {
  for (const once of [...((globals as WithList)[KEY] ?? [])].reverse()) {
    const giveUp = new AbortController();
    const tooLong = sleep(CLEAN_UP_MS, undefined, { signal: giveUp.signal }).then(() => {
      throw new Error(`not done in ${CLEAN_UP_MS} ms`);
    });
    await Promise.race([once(), tooLong]).catch((error: unknown) => {
      console.error("The clean-up after a test file failed:", error);
    });
    giveUp.abort();
    await tooLong.catch(() => {});
  }
}
