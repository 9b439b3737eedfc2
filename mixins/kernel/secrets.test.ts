// No message shows four characters of a password, wherever in a URL people put it.
import { expect, test } from "@jest/globals";
import { withoutSecrets } from "./index.ts";
import { FORMS, ODD, passwordOf, pick, SCHEMES, SEED, shows, TIMES } from "../testing/passwords.ts";
import { shownValue } from "./secrets.ts";

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
  ["DATABASE_URL", "postgres://library:secret@db:5432/library?x=1", "postgres://…@db:5432/library"],
  ["DATABASE_URL", "mysql://localhost/library", "mysql://localhost/library"],
  ["DATABASE_URL", "sqlite:/etc/passwd", "sqlite:/etc/passwd"],
  ["DATABASE_URL", "secret", "…"],
  ["NATS_URL", "nats://a:4222,nats://b:4222", "nats://…"],
  ["NATS_URL", "nats://a:4222,b:4222", "nats://a:4222,b:4222"],
  ["PORT", "seventy", "seventy"],
  ["DATA_DIR", "two\nlines", "two lines"],
])("%s=%s is shown as far as it can be", (variable, value, shown) => expect(shownValue(variable, value)).toBe(shown));

test.each([
  'connection string "library:QXZJKVW0@db/library"',
  "postgres:/library:QXZJKVW0@db/library cannot be parsed",
  "postgres//library:QXZJKVW0@db/library cannot be parsed",
  'it holds {"user":"library","password":"QXZJKVW0"}',
  "user: library, password: QXZJKVW0",
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

test.each([
  ["colons", "x:"],
  ["names", "pass"],
  ["letters", "a"],
  ["blanks behind a name", "password "],
  ["schemes", "a://"],
  ["URLs", "a://b "],
  ["punctuation", "a://.,.,"],
  ["credentials", "a:b@"],
])("a client's text of %s takes no longer than another of its length", (_, part) => {
  // The searches that this replaces took seconds for a tenth of it, and minutes for this.
  const text = part.repeat(10_000);
  expect(withoutSecrets(text).length).toBeLessThanOrEqual(text.length);
});
