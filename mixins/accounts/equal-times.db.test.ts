// OWASP API2: a stranger who logs in as somebody learns nothing about which addresses have an account, neither from the
// answer nor from its time, by whatever way in.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { ada, startEntrances, type Entered } from "./entrances.fixture.ts";
import { limits } from "./limits.ts";

/** Accounts whose password is guessed: each gets few guesses before it is closed for a minute. */
const ACCOUNTS = 10;
const GUESSES = Math.floor((limits.failedLoginsMax - 1) / 2);
let house: Entered;
beforeAll(async () => {
  house = await startEntrances({ TRUSTED_PROXIES: "1" });
  for (let n = 0; n < ACCOUNTS; n++) await house.person({ ...ada, email: `known-${n}@example.com` });
});
afterAll(() => house.stop());

const median = (times: number[]): number => times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)]!;

test.each(["/session", "/auth/login"])(
  "POST %s takes as long for an unknown address as for a wrong password",
  async path => {
    const answers = new Set<string>();
    const timeOf = async (email: string, address: string): Promise<number> => {
      const headers = { origin: house.origin, "x-forwarded-for": address };
      const startedAt = performance.now();
      const { status, json } = await house.http("POST", path, { body: { email, password: "a wrong one" }, headers });
      const ms = performance.now() - startedAt;
      answers.add(JSON.stringify({ status, ...json, requestId: "" }));
      return ms;
    };
    const [times, differences]: number[][] = [[], []];
    for (let n = 0; n < ACCOUNTS * GUESSES; n++) {
      // Two at a time in turn, so that a slow moment of the machine meets both, and neither always comes first.
      const known = () => timeOf(`known-${n % ACCOUNTS}@example.com`, `192.0.2.${n}`);
      const unknown = () => timeOf(`unknown-${path.length}-${n}@example.com`, `198.51.100.${n}`);
      const [one, other] = n % 2 === 0 ? [await known(), await unknown()] : [await unknown(), await known()];
      times!.push(one, other);
      differences!.push(n % 2 === 0 ? one - other : other - one);
    }
    expect([...answers]).toEqual([expect.stringContaining("bad-credentials")]);
    // A hash takes 18 ms or more. Where it is left out for an unknown address, the difference is nearly the whole time.
    expect(Math.abs(median(differences!))).toBeLessThan(median(times!) / 3);
  },
);
