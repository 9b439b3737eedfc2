// Passwords in every place of a URL where people put them, well-formed or not: no message shows four characters of one.
import { expect, test } from "@jest/globals";
import { inspect } from "node:util";
import { randomOf } from "../testing/random.ts";
import { natsOptions, readEnvironment, readPostgresUrl, withoutSecrets } from "./index.ts";
import { shownValue } from "./secrets.ts";

const SEED = 20_260_727;
const TIMES = 400;
const random = randomOf(SEED);
const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;

/** Letters and digits that are in no message of ours, and what makes another URL of the one that was meant. */
const PLAIN = "QXZJKVW0789".split("");
const ODD = "/:@#?%&=,'\"\\+ ".split("");
const passwordOf = (odd: readonly string[]): string =>
  Array.from({ length: 8 + Math.floor(random() * 12) }, () => pick(random() < 0.2 ? odd : PLAIN)).join("");

const SCHEMES = ["postgres", "postgresql", "postgers", "redis", "rediss", "nats", "tls", "http", "https", "mysql"];
const FORMS: readonly ((scheme: string, password: string) => string)[] = [
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
const MISSHAPEN: typeof FORMS = [
  (s, p) => `${s}:/shop:${p}@db/shop`,
  (s, p) => `${s}//shop:${p}@db/shop`,
  (s, p) => `${s}:shop:${p}@db/shop`,
  (_, p) => `shop:${p}@db/shop`,
  (_, p) => `host=db user=shop password=${p} dbname=shop`,
  (_, p) => `host=db user=shop password='${p}'`,
  (s, p) => `jdbc:${s}://db/shop?user=shop&password=${p}`,
  (s, p) => `sqlite:data,${s}://shop:${p}@db/shop`,
];
const VARIABLES = [
  "DATABASE_URL",
  "ORDERS_DATABASE_URL",
  "ODRERS_DATABASE_URL",
  "DATABASE_REPLICA_URL",
  "NATS_URL",
  "REDIS_URL",
  "PAYMENT_PROVIDER_URL",
  "SERVICES",
  "LOGLEVEL",
  "NODEID",
];

function shows(text: string, password: string): string | undefined {
  const parts = Array.from({ length: password.length - 3 }, (_, i) => password.slice(i, i + 4));
  return parts.find(part => text.toLowerCase().includes(part.toLowerCase()));
}

/** What a start would say of the variable: its refusal, or the places that later messages name. */
function said(variable: string, value: string): string {
  try {
    const { databaseOf, natsUrl } = readEnvironment({ [variable]: value }, ["orders", "catalog"]);
    const places = ["orders", "catalog"].map(databaseOf).flatMap(location => {
      if (location.kind === "sqlite") return [];
      return [...location.shards, ...(location.replica ? [location.replica] : [])].map(
        url => readPostgresUrl(url).place,
      );
    });
    return [...places, ...(natsUrl ? natsOptions(natsUrl).servers : [])].join();
  } catch (error) {
    return inspect(error);
  }
}

test(`no message about a variable shows a password, seed ${SEED}`, () => {
  const leaks: string[] = [];
  let refused = 0;
  for (let i = 0; i < TIMES; i++) {
    const password = passwordOf(ODD);
    for (const form of [...FORMS, ...MISSHAPEN]) {
      const variable = pick(VARIABLES);
      const value = form(pick(SCHEMES), password);
      const text = said(variable, value);
      if (text.includes(`${variable}="`)) refused += 1;
      if (shows(text, password) !== undefined) leaks.push(`${variable}=${value}: ${text}`);
    }
  }
  expect(leaks).toEqual([]);
  expect(refused).toBeGreaterThan(TIMES);
});

test(`no sentence with a URL in it shows its password, seed ${SEED}`, () => {
  const leaks: string[] = [];
  for (let i = 0; i < TIMES; i++) {
    const password = passwordOf(ODD.filter(odd => odd !== " "));
    for (const form of FORMS) {
      const url = form(pick(SCHEMES), password);
      for (const sentence of [`cannot reach ${url}: refused`, `Invalid URL: '${url}'`, `{"input":"${url}"}`])
        if (shows(withoutSecrets(sentence), password) !== undefined)
          leaks.push(`${sentence}: ${withoutSecrets(sentence)}`);
    }
  }
  expect(leaks).toEqual([]);
});

test.each([
  ["DATABASE_URL", "postgres://shop:secret@db:5432/shop?x=1", "postgres://…@db:5432/shop"],
  ["DATABASE_URL", "mysql://localhost/shop", "mysql://localhost/shop"],
  ["DATABASE_URL", "sqlite:/etc/passwd", "sqlite:/etc/passwd"],
  ["DATABASE_URL", "secret", "…"],
  ["NATS_URL", "nats://a:4222,nats://b:4222", "nats://…"],
  ["NATS_URL", "nats://a:4222,b:4222", "nats://a:4222,b:4222"],
  ["PORT", "seventy", "seventy"],
  ["DATA_DIR", "two\nlines", "two lines"],
])("%s=%s is shown as far as it can be", (variable, value, shown) => expect(shownValue(variable, value)).toBe(shown));

test.each([
  'connection string "shop:QXZJKVW0@db/shop"',
  "postgres:/shop:QXZJKVW0@db/shop cannot be parsed",
  "postgres//shop:QXZJKVW0@db/shop cannot be parsed",
  'it holds {"user":"shop","password":"QXZJKVW0"}',
  "user: shop, password: QXZJKVW0",
  "PGPASSWORD=QXZJKVW0",
  "DATABASE_PASSWORD = 'QXZJKVW0'",
  "api_key=QXZJKVW0",
])("a secret without a URL that can be read is hidden as well: %s", text => {
  expect(withoutSecrets(text)).not.toContain("QXZJKVW0");
  expect(shownValue("SERVICES", text)).not.toContain("QXZJKVW0");
});

test("a sentence keeps what is no secret", () => {
  expect(withoutSecrets("connect ECONNREFUSED 127.0.0.1:5432")).toBe("connect ECONNREFUSED 127.0.0.1:5432");
  expect(withoutSecrets("cannot reach redis://:secret@db:6379/0: refused (password=hidden)")).toBe(
    "cannot reach redis://…@db:6379/0: refused (password=…)",
  );
});
