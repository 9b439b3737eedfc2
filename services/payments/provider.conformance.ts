// The suite that every adapter of a payment provider passes, over real HTTP: any answer of the company's servers, or of
// a proxy before them, becomes the one outcome that can be relied on. A company of the suite is a server that speaks
// the adapter's own wire format, and gives the answers that the suite names.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Outcome, PaymentProvider, RefundOutcome } from "./provider-port.ts";

export type Says =
  | "authorized"
  | "declined"
  | "captured"
  | "voided"
  | "pending"
  | "refunded"
  /** An earlier request with the key is still running. */
  | "in progress"
  | "no such payment"
  /** Our credentials are wrong or not sufficient, or we may not use this currency. */
  | "wrong credentials"
  | "forbidden"
  | "unknown currency"
  /** 500, with a body that says `authorized`. */
  | "broken"
  | "too many requests"
  | "an unknown outcome"
  /** 200 from a proxy. */
  | "a page of HTML"
  | "nothing at all"
  | "another payment's answer"
  | "another amount"
  | "authorized without an id"
  | "a redirect"
  /** The connection breaks, or no answer comes. */
  | "cut off"
  | "silence"
  | "half an answer"
  | "more than an adapter reads";

export interface Company {
  readonly provider: PaymentProvider;
  /** The answer to every request from now on. */
  says(answer: Says): void;
  /** Idempotency keys of the requests so far. */
  readonly keys: readonly string[];
  /** A webhook as the company would send it. */
  webhook(says: Says, key: string, secret: string, now: number): { body: string; signature: string };
  close(): Promise<void>;
}

const KEY = "order-1";
const REFUND_KEY = "order-1:refund:r1";
const amount = { amount: 2_500, currency: "EUR" };
type Verb = "authorize" | "capture" | "void" | "refund" | "find";
const ask = (provider: PaymentProvider, verb: Verb): Promise<Outcome | RefundOutcome> => {
  if (verb === "authorize") return provider.authorize(KEY, { amount, token: "tok_ok" });
  if (verb === "refund") return provider.refund(KEY, { key: REFUND_KEY, amount });
  return provider[verb](KEY);
};

const VERBS: readonly Verb[] = ["authorize", "capture", "void", "find"];
const UNKNOWN: readonly Says[] = [
  "in progress",
  "broken",
  "too many requests",
  "an unknown outcome",
  "a page of HTML",
  "nothing at all",
  "another payment's answer",
  "authorized without an id",
  "a redirect",
  "cut off",
  "silence",
  "half an answer",
  "more than an adapter reads",
];
const OURS: readonly Says[] = ["wrong credentials", "forbidden", "unknown currency"];

/**
 * Answers that only a deadline ends: an adapter asks for them that gives up soon. Every other answer has to arrive, however
 * busy the machine is: an adapter that gave up first would call it unknown.
 */
const ENDLESS: ReadonlySet<Says> = new Set(["silence", "half an answer"]);
const SOON_MS = 100;
export const PATIENT_MS = 60_000;

/** `open`: a company, and an adapter that waits `deadlineMs` for an answer. */
export function paymentProviderConformance(name: string, open: (deadlineMs: number) => Promise<Company>): void {
  describe(`payment provider: ${name}`, () => {
    let company: Company;
    let hasty: Company;
    beforeAll(async () => {
      company = await open(PATIENT_MS);
      hasty = await open(SOON_MS);
    });
    afterAll(() => Promise.all([company.close(), hasty.close()]));

    test.each(
      VERBS.flatMap(verb =>
        (["declined", "captured", "voided", "pending"] as const).map(says => [verb, says] as const),
      ),
    )("%s, and the body says %s: so it is", async (verb, says) => {
      company.says(says);
      expect(await ask(company.provider, verb)).toEqual({ status: says });
    });

    // A void that is answered `authorized` is not a void, and neither is a capture.
    test.each(VERBS)("%s, and the body says authorized: so it is, with the id", async verb => {
      company.says("authorized");
      expect(await ask(company.provider, verb)).toEqual({ status: "authorized", authorizationId: expect.any(String) });
    });

    test.each([...VERBS, "refund" as const].flatMap(verb => UNKNOWN.map(says => [verb, says] as const)))(
      "%s, and the answer is %s: unknown, and never an outcome",
      async (verb, says) => {
        const asked = ENDLESS.has(says) ? hasty : company;
        asked.says(says);
        expect(await ask(asked.provider, verb)).toEqual({ status: "unknown", reason: expect.any(String) });
      },
    );

    test.each([...VERBS, "refund" as const].flatMap(verb => OURS.map(says => [verb, says] as const)))(
      "%s, and the answer is %s: misconfigured, with a reason",
      async (verb, says) => {
        company.says(says);
        expect(await ask(company.provider, verb)).toEqual({ status: "misconfigured", reason: expect.any(String) });
      },
    );

    test("a payment that it does not know is not one that it declined or voided", async () => {
      company.says("no such payment");
      for (const verb of ["capture", "void", "find"] as const)
        expect(await ask(company.provider, verb)).toMatchObject({ status: "unknown" });
      // That address must exist: a 404 means that ours is wrong, or comes from a proxy.
      expect((await ask(company.provider, "authorize")).status).toMatch(/unknown|misconfigured/);
    });

    test("an authorization of another amount than was asked for is none", async () => {
      company.says("another amount");
      expect(await ask(company.provider, "authorize")).toMatchObject({ status: "unknown" });
    });

    test("a refund is paid, declined, or not known yet; nothing else is one", async () => {
      for (const status of ["refunded", "declined", "pending"] as const) {
        company.says(status);
        expect(await ask(company.provider, "refund")).toEqual({ status });
      }
      for (const says of ["captured", "voided", "authorized"] as const) {
        company.says(says);
        expect(await ask(company.provider, "refund")).toMatchObject({ status: "unknown" });
      }
    });

    test("every request carries its key", async () => {
      company.says("authorized");
      for (const verb of [...VERBS, "refund" as const]) {
        await ask(company.provider, verb);
        expect(company.keys.at(-1)).toBe(verb === "refund" ? REFUND_KEY : KEY);
      }
    });

    test("a webhook is read when it is signed and fresh", () => {
      const now = Date.parse("2026-01-01T00:00:00Z");
      const secret = "a secret of the two of us";
      const { body, signature } = company.webhook("declined", KEY, secret, now);
      const read = (change: { body?: string; signature?: string; secret?: string; now?: number }) => {
        const sent = { body, signature, secret, now, ...change };
        return company.provider.readNotice(sent.body, sent.signature, sent.secret, sent.now);
      };
      expect(read({})).toEqual({ key: KEY, outcome: { status: "declined" } });
      expect(read({ now: now + 240_000 })).toBeDefined();
      expect(read({ now: now + 3_600_000 })).toBeUndefined();
      expect(read({ now: now - 3_600_000 })).toBeUndefined();
      expect(read({ secret: "another secret" })).toBeUndefined();
      expect(read({ body: `${body} ` })).toBeUndefined();
      for (const wrong of ["", "t=1,v1=00", signature.slice(0, -2), `${signature}00`, "x".repeat(200)])
        expect(read({ signature: wrong })).toBeUndefined();
    });
  });
}
