import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { readEnvironment } from "../../kernel/index.ts";
import { configurationOf, sharingOf } from "./configuration.ts";
import { embeddedIn } from "./machine.ts";

type Env = Readonly<Record<string, string>>;
/** `<status>` of a check by the status outside and inside of production; "none" without a finding. */
function statuses(check: string, env: Env): string {
  const of = (isProduction: boolean) =>
    configurationOf({ environment: readEnvironment(env), isProduction }).find(one => one.check === check)?.status ??
    "none";
  return `${of(false)} ${of(true)}`;
}

test.each<[check: string, env: Env, expected: string]>([
  ["passwords", {}, "ok ok"],
  ["passwords", { ADMIN_PASSWORD: "kz8-Ujq3-vY2w" }, "ok ok"],
  ["passwords", { ADMIN_PASSWORD: "correct horse" }, "warn FAIL"],
  ["passwords", { DATABASE_URL: "postgres://postgres:postgres@db/loans" }, "warn FAIL"],
  ["passwords", { LOANS_DATABASE_URL: "postgres://loans:Loans@db/loans" }, "warn FAIL"],
  ["passwords", { DATABASE_URL: "postgres://loans@db/loans" }, "ok ok"],
  ["passwords", { NATS_URL: "nats://core:fR3x-9uTq@a:4222,nats://core:valence@b:4222" }, "warn FAIL"],
  ["passwords", { REDIS_URL: "redis://:ch4nge-is-g00d@cache" }, "ok ok"],
  ["passwords", { METRICS_TOKEN: "valence-metrics-token" }, "warn FAIL"],
  ["passwords", { WEBHOOK_SECRET: "secretsecretsecret" }, "warn FAIL"],
  ["passwords", { WEBHOOK_SECRET: "aaaaaaaaaaaaaaaaaaaa" }, "warn FAIL"],
  ["failpoints", {}, "ok ok"],
  ["failpoints", { FAILPOINTS: "append:after-commit=kill" }, "warn FAIL"],
  ["address", {}, "none warn"],
  ["address", { PUBLIC_URL: "https://library.example" }, "ok ok"],
  ["address", { PUBLIC_URL: "http://localhost:3000" }, "ok ok"],
  ["address", { PUBLIC_URL: "http://library.example" }, "warn FAIL"],
  ["address", { PUBLIC_URL: "http://library.example", SERVICES: "loans" }, "none none"],
  ["origins", {}, "ok ok"],
  ["origins", { ALLOWED_ORIGINS: "https://a.example,http://localhost:5173" }, "ok ok"],
  ["origins", { ALLOWED_ORIGINS: "https://a.example,http://b.example" }, "warn warn"],
  ["proxies", { TRUSTED_PROXIES: "1", PUBLIC_URL: "https://library.example" }, "ok ok"],
  ["proxies", { PUBLIC_URL: "https://library.example" }, "warn warn"],
  ["proxies", { TRUSTED_PROXIES: "9" }, "warn warn"],
  ["rates", {}, "ok ok"],
  ["rates", { RATE_LIMIT_PERCENT: "0" }, "warn warn"],
  ["rates", { RATE_LIMIT_PERCENT: "100000" }, "warn warn"],
])("%s of %o: %s", (check, env, expected) => {
  expect(statuses(check, env)).toBe(expected);
});

test("no message shows a password", () => {
  const env = { ADMIN_PASSWORD: "changeme", DATABASE_URL: "postgres://me:letmein@db/loans" };
  const [finding] = configurationOf({ environment: readEnvironment(env), isProduction: true });
  expect(finding!.message).toContain("ADMIN_PASSWORD, DATABASE_URL");
  expect(JSON.stringify(finding)).not.toMatch(/changeme|letmein/);
});

test("SQLite in a cluster is a warning: the environment does not tell on how many machines a service runs", () => {
  const folder = mkdtempSync(join(tmpdir(), "sharing-"));
  try {
    // `doors` keeps nothing, and has no file.
    const services = ["loans", "books", "doors"];
    for (const service of ["loans", "books"]) writeFileSync(join(folder, `${service}.sqlite`), "");
    const sharing = (env: Env) => sharingOf({ environment: readEnvironment(env), isProduction: true }, services);
    const NATS_URL = "nats://bus:4222";
    expect(sharing({ DATA_DIR: folder })).toEqual([]);
    const all = { NATS_URL, DATA_DIR: folder, DATABASE_URL: "postgres://me@db/all" };
    expect(sharing(all)).toMatchObject([{ status: "ok" }]);
    const mixed = { NATS_URL, DATA_DIR: folder, LOANS_DATABASE_URL: "postgres://me@db/loans" };
    expect(sharing(mixed)).toMatchObject([{ status: "warn", message: expect.stringMatching(/^books on SQLite/) }]);
    expect(embeddedIn(readEnvironment(mixed), services)).toEqual(["books"]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
