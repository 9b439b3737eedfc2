// A verification that may take longer than a request: it goes on in the background, and its verdict is kept for a while.
import type { Knex } from "knex";
import type { ResultOf } from "../contract/index.ts";
import type { Anchor } from "./anchor.ts";
import { countIn, linesIn, removedUpToIn } from "./lines.ts";
import { limits } from "./limits.ts";
import { verify, type Verdict } from "./verify.ts";

export class Verifying {
  readonly #knex: Knex;
  readonly #anchor: Anchor | undefined;
  readonly #trusted: readonly string[];
  #running: Promise<Verdict> | undefined;
  #done: { readonly verdict: Verdict; readonly at: number } | undefined;
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
    if (kept?.verdict.ok && performance.now() < kept.at + limits.verdictKeptMs) return this.#answer(kept.verdict);
    this.#running ??= this.#verify().finally(() => (this.#running = undefined));
    const late = Promise.withResolvers<undefined>();
    const timer = setTimeout(() => late.resolve(undefined), waitMs);
    try {
      const verdict = await Promise.race([this.#running, late.promise]);
      return verdict ? this.#answer(verdict) : { state: "running", records: this.#records, of: this.#of };
    } finally {
      clearTimeout(timer);
    }
  }

  async #verify(): Promise<Verdict> {
    this.#records = 0;
    this.#of = await countIn(this.#knex);
    const verdict = await verifyDatabase(this.#knex, {
      trusted: this.#trusted,
      anchor: this.#anchor,
      onProgress: records => (this.#records = records),
    });
    this.#done = { verdict, at: performance.now() };
    return verdict;
  }

  #answer(verdict: Verdict): ResultOf<"audit.verify"> {
    return { state: "done", of: Math.max(this.#of, verdict.records), ...verdict } as ResultOf<"audit.verify">;
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
