// The handlers of `answers/contract.ts`.
import type { Claim, Claimed } from "../../gateway/index.ts";
import type { SqlAnswers } from "./sql-answers.ts";

interface Keeps {
  readonly answers: SqlAnswers;
}
type Own = Pick<Claim, "scope" | "owner">;

export const answerHandlers = {
  claimAnswer(
    this: Keeps,
    { params: { leaseMs, ...claim } }: { params: Claim & { leaseMs: number } },
  ): Promise<Claimed> {
    return this.answers.claim(claim, leaseMs);
  },
  async finishAnswer(this: Keeps, { params: { answer, ...own } }: { params: Own & { answer?: string } }) {
    return { kept: await this.answers.finish(own, answer) };
  },
  async releaseAnswer(this: Keeps, { params }: { params: Own }) {
    await this.answers.release(params);
    return { released: true };
  },
};
