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
  (s, p) => `${s}://library:${p}@db/library`,
  (s, p) => `${s}://library:${p}@db:5432/library?sslmode=require`,
  (s, p) => `${s}://library:${p}@db:port/library`,
  (s, p) => `${s}://library:${p}@`,
  (s, p) => `${s}://:${p}@db`,
  (s, p) => `${s}://${p}@db:4222`,
  (s, p) => `${s}://db/library?user=library&password=${p}`,
  (s, p) => `${s}://library@db/library?password=${p}&x=1`,
  (s, p) => `${s}://library:${p}@db/library#${p}`,
  (s, p) => `${s}://library:${p}@db/a,${s}://library:${p}@db/b`,
  (s, p) => `${s}://library:${p}@db/a,${s}://db/b?password=${p}`,
];
export const MISSHAPEN: typeof FORMS = [
  (s, p) => `${s}:/library:${p}@db/library`,
  (s, p) => `${s}//library:${p}@db/library`,
  (s, p) => `${s}:library:${p}@db/library`,
  (_, p) => `library:${p}@db/library`,
  (_, p) => `host=db user=library password=${p} dbname=library`,
  (_, p) => `host=db user=library password='${p}'`,
  (s, p) => `jdbc:${s}://db/library?user=library&password=${p}`,
  (s, p) => `sqlite:data,${s}://library:${p}@db/library`,
];

/** The first four characters of the password that occur in the text. */
export function shows(text: string, password: string): string | undefined {
  const parts = Array.from({ length: password.length - 3 }, (_, i) => password.slice(i, i + 4));
  return parts.find(part => text.toLowerCase().includes(part.toLowerCase()));
}
