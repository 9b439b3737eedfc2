import { expect, test } from "@jest/globals";
import { newSecret, signatureOf, webhookHeaders } from "./signature.ts";

// The example that the Standard Webhooks libraries are tested with.
const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const SIGNED = { id: "msg_p5jXN8AQM9LWM0D4loKWxJek", seconds: 1_614_265_330, body: '{"test": 2432232314}' };
const SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

test("a signature is that of the published example", () => {
  expect(signatureOf(SIGNED, SECRET)).toBe(SIGNATURE);
  expect(webhookHeaders(SIGNED, [SECRET])).toEqual({
    "webhook-id": SIGNED.id,
    "webhook-timestamp": "1614265330",
    "webhook-signature": SIGNATURE,
  });
});

test("two secrets make two signatures, the newer one first", () => {
  const secret = newSecret();
  expect(webhookHeaders(SIGNED, [secret, SECRET])["webhook-signature"]).toBe(
    `${signatureOf(SIGNED, secret)} ${SIGNATURE}`,
  );
});

test("a new secret is 32 random bytes", () => {
  const [one, other] = [newSecret(), newSecret()];
  expect(one).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
  expect(other).not.toBe(one);
});
