// The signature of a webhook, by the Standard Webhooks specification: HMAC-SHA256 over the id, the time and the body. A
// receiver verifies it with any library of that specification, or with the few lines of docs/webhooks.md.
import { createHmac, randomBytes } from "node:crypto";

const PREFIX = "whsec_";
/** Bytes of a secret: as many as the hash has. */
const BYTES = 32;

/** `whsec_` and base64. */
export const newSecret = (): string => PREFIX + randomBytes(BYTES).toString("base64");

export interface Signed {
  readonly id: string;
  /** Seconds since the epoch. */
  readonly seconds: number;
  readonly body: string;
}

export const signatureOf = ({ id, seconds, body }: Signed, secret: string): string =>
  `v1,${createHmac("sha256", Buffer.from(secret.slice(PREFIX.length), "base64"))
    .update(`${id}.${seconds}.${body}`)
    .digest("base64")}`;

/** The headers of a request. Several secrets make several signatures: a receiver needs to know one of them. */
export const webhookHeaders = (signed: Signed, secrets: readonly string[]): Record<string, string> => ({
  "webhook-id": signed.id,
  "webhook-timestamp": `${signed.seconds}`,
  "webhook-signature": secrets.map(secret => signatureOf(signed, secret)).join(" "),
});
