// On certificates that openssl makes, as people do.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { certificateEnd, certificateFilesIn, certificateState, type CertificateFile } from "./certificates.ts";
import { readEnvironment } from "./environment.ts";

const DAY_MS = 86_400_000;
let folder: string;
let now: number;
const pathOf = (name: string): string => join(folder, name);

function make(name: string, days: number): void {
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", pathOf("key.pem")];
  const args = ["req", "-x509", ...key, "-out", pathOf(name), "-days", `${days}`, "-subj", `/O=Library/CN=${name}`];
  execFileSync("openssl", args, { stdio: "pipe" });
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "certificates-"));
  make("long", 100);
  make("short", 10);
  writeFileSync(pathOf("both"), readFileSync(pathOf("short"), "utf8") + readFileSync(pathOf("long"), "utf8"));
  writeFileSync(pathOf("empty"), "nothing\n");
  now = Date.now() + 60_000;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const state = (name: string, days = 0, holds: CertificateFile["holds"] = "own") =>
  certificateState({ variable: "NATS_CERT", path: pathOf(name), holds }, now + days * DAY_MS);

test("a certificate is well until fourteen days before its end, and has failed after it and before its begin", () => {
  expect(state("long")).toMatchObject({
    status: "ok",
    message: expect.stringMatching(/^NATS_CERT: CN=long is valid until \d{4}-\d\d-\d\d$/),
    figures: { daysLeft: 99 },
  });
  expect(state("long", 80)).toMatchObject({ status: "ok" });
  expect(state("long", 87)).toMatchObject({ status: "warn", message: expect.stringContaining("for 12 more days") });
  expect(state("long", 101)).toMatchObject({ status: "FAIL", message: expect.stringContaining("has expired on") });
  expect(state("long", -2)).toMatchObject({ status: "FAIL", message: expect.stringContaining("is not valid before") });
});

test("of our own every link counts, of authorities the last one: an old one does no harm beside its successor", () => {
  expect(state("both", 20)).toMatchObject({ status: "FAIL", message: expect.stringContaining("CN=short") });
  expect(state("both", 20, "authorities")).toMatchObject({ status: "ok", message: expect.stringContaining("CN=long") });
});

test("a file without a certificate, and one that is not there, have failed", () => {
  expect(state("empty")).toMatchObject({ status: "FAIL", message: "NATS_CERT: the file holds no certificate" });
  expect(state("gone")).toMatchObject({ status: "FAIL", message: "NATS_CERT: the file cannot be read (ENOENT)" });
});

test("the end of a file, for metrics, is the one that its state tells", () => {
  const daysLeft = (name: string, holds: CertificateFile["holds"]) =>
    Math.floor((certificateEnd({ variable: "NATS_CA", path: pathOf(name), holds }) - now) / DAY_MS);
  expect([daysLeft("both", "own"), daysLeft("both", "authorities")]).toEqual([9, 99]);
  expect(() => daysLeft("empty", "own")).toThrow("NATS_CA: the file holds no certificate");
});

test("the environment names the files", () => {
  expect(certificateFilesIn(readEnvironment({}))).toEqual([]);
  const env = { NATS_CA: pathOf("long"), NATS_CERT: pathOf("short"), NATS_KEY: pathOf("key.pem") };
  expect(certificateFilesIn(readEnvironment(env))).toEqual([
    { variable: "NATS_CA", path: pathOf("long"), holds: "authorities" },
    { variable: "NATS_CERT", path: pathOf("short"), holds: "own" },
  ]);
});
