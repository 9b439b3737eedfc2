// Passwords in every place of a URL where people put them, well-formed or not: for tests that no message shows one.
import { randomOf } from "./random.ts";

export const SEED = 20_260_727;
export const TIMES = 400;
const random = randomOf(SEED);
export const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;

/** Letters and digits that occur in no message of ours, and characters that change the meaning of a URL. */
const PLAIN = "QXZJKVW0789".split("");
export const ODD = "/:@#?%&=,'\"\\+ ".split("");
export const passwordOf = (odd: readonly string[]): string =>
  Array.from({ length: 8 + Math.floor(random() * 12) }, () => pick(random() < 0.2 ? odd : PLAIN)).join("");

export const SCHEMES = [
  "postgres",
  "postgresql",
  "postgers",
  "redis",
  "rediss",
  "nats",
  "tls",
  "http",
  "https",
  "mysql",
];
export const FORMS: readonly ((scheme: string, password: string) => string)[] = [
  (s, p) => `${s}://shop:${p}@db/shop`,
  (s, p) => `${s}://shop:${p}@db:5432/shop?sslmode=require`,
  (s, p) => `${s}://shop:${p}@db:port/shop`,
  (s, p) => `${s}://shop:${p}@`,
  (s, p) => `${s}://:${p}@db`,
  (s, p) => `${s}://${p}@db:4222`,
  (s, p) => `${s}://db/shop?user=shop&password=${p}`,
  (s, p) => `${s}://shop@db/shop?password=${p}&x=1`,
  (s, p) => `${s}://shop:${p}@db/shop#${p}`,
  (s, p) => `${s}://shop:${p}@db/a,${s}://shop:${p}@db/b`,
  (s, p) => `${s}://shop:${p}@db/a,${s}://db/b?password=${p}`,
];
export const MISSHAPEN: typeof FORMS = [
  (s, p) => `${s}:/shop:${p}@db/shop`,
  (s, p) => `${s}//shop:${p}@db/shop`,
  (s, p) => `${s}:shop:${p}@db/shop`,
  (_, p) => `shop:${p}@db/shop`,
  (_, p) => `host=db user=shop password=${p} dbname=shop`,
  (_, p) => `host=db user=shop password='${p}'`,
  (s, p) => `jdbc:${s}://db/shop?user=shop&password=${p}`,
  (s, p) => `sqlite:data,${s}://shop:${p}@db/shop`,
];

/** The first four characters of the password that occur in the text. */
export function shows(text: string, password: string): string | undefined {
  const parts = Array.from({ length: password.length - 3 }, (_, i) => password.slice(i, i + 4));
  return parts.find(part => text.toLowerCase().includes(part.toLowerCase()));
}
