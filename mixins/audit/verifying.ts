// A verification that may take longer than a request: it goes on in the background, and its verdict is kept for a while.
import type { Knex } from "knex";
import type { ResultOf } from "../contract/index.ts";
import { rfc3339 } from "../kernel/index.ts";
import type { Anchor } from "./anchor.ts";
import { countIn, linesIn, removedUpToIn } from "./lines.ts";
import { limits } from "./limits.ts";
import { verify, type Verdict } from "./verify.ts";

interface Done {
  readonly verdict: Verdict;
  /** Records that were written later are not in it. Epoch in milliseconds. */
  readonly beganAt: number;
}

export class Verifying {
  readonly #knex: Knex;
  readonly #anchor: Anchor | undefined;
  readonly #trusted: readonly string[];
  #running: Promise<Done> | undefined;
  #done: Done | undefined;
  #records = 0;
  #of = 0;

  constructor(knex: Knex, trusted: readonly string[], anchor: Anchor | undefined) {
    this.#knex = knex;
    this.#trusted = trusted;
    this.#anchor = anchor;
  }

  /** The verdict; or, after `waitMs`, how far it is. */
  async ask(waitMs: number = limits.verifyWaitMs): Promise<ResultOf<"audit.verify">> {
    const kept = this.#done;
    // A broken audit is looked at anew: somebody may have repaired it.
    if (kept?.verdict.ok && Date.now() - kept.beganAt < limits.verdictKeptMs) return this.#answer(kept);
    this.#running ??= this.#verify().finally(() => (this.#running = undefined));
    const late = Promise.withResolvers<undefined>();
    const timer = setTimeout(() => late.resolve(undefined), waitMs);
    try {
      const done = await Promise.race([this.#running, late.promise]);
      return done ? this.#answer(done) : { state: "running", records: this.#records, of: this.#of };
    } finally {
      clearTimeout(timer);
    }
  }

  async #verify(): Promise<Done> {
    const beganAt = Date.now();
    this.#records = 0;
    this.#of = await countIn(this.#knex);
    const verdict = await verifyDatabase(this.#knex, {
      trusted: this.#trusted,
      anchor: this.#anchor,
      onProgress: records => (this.#records = records),
    });
    return (this.#done = { verdict, beganAt });
  }

  #answer({ verdict, beganAt }: Done): ResultOf<"audit.verify"> {
    const at = rfc3339(beganAt);
    return { state: "done", at, of: Math.max(this.#of, verdict.records), ...verdict } as ResultOf<"audit.verify">;
  }
}

/** Verifies the database; once more when retention has removed records meanwhile, which would look like a fault. */
export async function verifyDatabase(knex: Knex, options: Parameters<typeof verify>[1]): Promise<Verdict> {
  for (;;) {
    const before = await removedUpToIn(knex);
    const verdict = await verify(linesIn(knex), options);
    if (verdict.ok || (await removedUpToIn(knex)) === before) return verdict;
  }
}
