// A webhook is believed for its signature alone: HMAC-SHA256 over its time and its body, byte for byte as it was sent.
// A webhook older than the window is refused, so that a recorded one cannot be sent again next week. Within the window
// a repetition is harmless, since the payment takes each answer once. The time is the provider's: the window allows for
// two clocks that differ.
import { createHmac, timingSafeEqual } from "node:crypto";
import { minutes } from "@valence/runtime/kernel";

export const limits = {
  /** Milliseconds between the provider's clock and ours, either way. */
  windowMs: minutes(5),
} as const;

const digestOf = (seconds: string, body: string, secret: string): Buffer =>
  createHmac("sha256", secret).update(`${seconds}.${body}`).digest();

/** `t=<seconds since the epoch>,v1=<hexadecimal>`. */
export function signatureOf(body: string, secret: string, now: number): string {
  const seconds = String(Math.floor(now / 1_000));
  return `t=${seconds},v1=${digestOf(seconds, body, secret).toString("hex")}`;
}

/** Whether the body was signed with this secret, at most `windowMs` from `now`. */
export function isSigned(body: string, signature: string, secret: string, now: number): boolean {
  const [, seconds, hex] = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/.exec(signature) ?? [];
  if (seconds === undefined || hex === undefined) return false;
  if (Math.abs(Number(seconds) * 1_000 - now) > limits.windowMs) return false;
  return timingSafeEqual(Buffer.from(hex, "hex"), digestOf(seconds, body, secret));
}
