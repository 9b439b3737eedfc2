// The anchor at an HTTP server that does as S3 does: it checks signatures, and replaces no object where it is told so.
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { createHash, createHmac } from "node:crypto";
import { once } from "node:events";
import { appendFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AwsClient } from "aws4fetch";
import type { Knex } from "knex";
import type { ServiceBroker } from "moleculer";
import { Source } from "../stream/log/source.fixture.ts";
import { newBrokers } from "../testing/broker.ts";
import { until } from "../testing/index.ts";
import { metricOf } from "../testing/metric.ts";
import { resolveAnchor, type Anchor } from "./anchor.ts";
import type { AuditService } from "./audit.ts";
import { auditMetrics } from "./metrics.ts";
import { linesIn } from "./lines.ts";
import { Audit } from "./mixin.ts";
import { rewrite } from "./tampering.fixture.ts";
import { verify, type Line } from "./verify.ts";
import { verifyDatabase } from "./verifying.ts";

/**
 * Requests and their signatures as AWS publishes them, under "Examples: Signature Calculations" in the reference of Amazon S3. No S3 of
 * others is there to try the anchor on: these are what it has in common with one.
 */
const PUBLISHED = [
  ["lifecycle=", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"],
  ["max-keys=2&prefix=J", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"],
] as const;

test.each(PUBLISHED)("requests are signed as AWS publishes it: ?%s", async (query, signature) => {
  const client = new AwsClient({
    accessKeyId: "AKIAIOSFODNN7EXAMPLE",
    secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    service: "s3",
    region: "us-east-1",
  });
  const { headers } = await client.sign(`https://examplebucket.s3.amazonaws.com/?${query}`, {
    headers: { "x-amz-content-sha256": sha256("") },
    aws: { datetime: "20130524T000000Z" },
  });
  expect(headers.get("authorization")).toBe(
    "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, " +
      `SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=${signature}`,
  );
});

const ACCESS = { accessKeyId: "audit", secretAccessKey: "s3cret", region: "eu-north-1" };
const hmac = (key: string | Buffer, text: string): Buffer => createHmac("sha256", key).update(text).digest();
const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** Signature Version 4, computed from the request as it came in. */
function isSigned({ method, url, headers }: IncomingMessage, body: string): boolean {
  const found = /Credential=audit\/(\d+)\/eu-north-1\/s3\/aws4_request, SignedHeaders=([^,]+), Signature=(\w+)$/;
  const [, day = "", names = "", signature] = found.exec(headers.authorization ?? "") ?? [];
  const content = headers["x-amz-content-sha256"] as string;
  if (content !== "UNSIGNED-PAYLOAD" && content !== sha256(body)) return false;
  const signed = names.split(";").map(name => `${name}:${String(headers[name])}\n`);
  const canonical = [method, url, "", signed.join(""), names, content].join("\n");
  const scope = `${day}/eu-north-1/s3/aws4_request`;
  const text = ["AWS4-HMAC-SHA256", headers["x-amz-date"], scope, sha256(canonical)].join("\n");
  const key = ["eu-north-1", "s3", "aws4_request"].reduce(hmac, hmac(`AWS4${ACCESS.secretAccessKey}`, day));
  return hmac(key, text).toString("hex") === signature;
}

let server: Server;
let objects: Map<string, string>;
let isAway: boolean;
let place: string;
let folder: string;

beforeEach(async () => {
  [objects, isAway] = [new Map(), false];
  const answer = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    let body = "";
    for await (const chunk of req) body += chunk;
    const kept = objects.get(req.url!);
    const isTaken = req.method === "PUT" && kept !== undefined && req.headers["if-none-match"] === "*";
    res.statusCode = isAway ? 503 : !isSigned(req, body) ? 403 : isTaken ? 412 : 200;
    if (res.statusCode === 200)
      if (req.method === "PUT") objects.set(req.url!, body);
      else if (kept === undefined) res.statusCode = 404;
    res.end(req.method === "GET" && res.statusCode === 200 ? kept : "");
  };
  server = createServer((req, res) => void answer(req, res)).listen(0, "127.0.0.1");
  await once(server, "listening");
  place = `http://127.0.0.1:${(server.address() as AddressInfo).port}/bucket/audit`;
  folder = await mkdtemp(join(tmpdir(), "audit-"));
});
afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true });
});

const inside = (broker: ServiceBroker): AuditService => broker.getLocalService("audit") as AuditService;
const variables = (anchor: string): Record<string, string> => ({
  AUDIT_CHECKPOINT_SECONDS: "86400",
  AUDIT_ANCHOR: anchor,
  AUDIT_ANCHOR_ACCESS_KEY: ACCESS.accessKeyId,
  AUDIT_ANCHOR_SECRET_KEY: ACCESS.secretAccessKey,
  AUDIT_ANCHOR_REGION: ACCESS.region,
});

/** An audit with two checkpoints, and records after them. */
async function audited(env: Record<string, string>, between: () => Promise<void> = async () => {}) {
  const house = await newBrokers(env);
  const source = new Source("loans", "loan", ["loan.made"]);
  const broker = await house.start(source.schema(), Audit());
  const { keeper, database } = inside(broker);
  const { knex } = database;
  for (const records of [16, 32]) {
    for (let i = 0; i < 16; i++) source.append(`${i % 8}`, "loan.made", { i });
    await until(async () => (await knex("audit_records")).length === records);
    await keeper.checkpoint();
    await between();
  }
  source.append("0", "loan.made");
  await until(async () => (await knex("audit_records")).length === 33);
  return { house, broker, knex, status: () => broker.call<any, object>("audit.status", {}) };
}

/** Rewrites and signs anew with the key in the database: without the anchor nobody sees it. */
async function rewriteSigned(broker: ServiceBroker, knex: Knex, anchor: Anchor): Promise<void> {
  const parts = Map.groupBy(await knex("audit_records").orderBy("seq"), ({ partition }) => partition as number);
  const [partition, own] = [...parts].sort(([, a], [, b]) => b.length - a.length)[0]!;
  expect(await verifyDatabase(knex, { anchor })).toMatchObject({ ok: true, anchored: 2 });
  // Covered by the second checkpoint, and not by the first one.
  const [first] = await knex("audit_checkpoints").orderBy("number");
  const { seq } = JSON.parse(first.text).heads.find((head: any) => head.partition === partition);
  const forged = seq + 2;
  expect(forged).toBeLessThan(own.length);
  await rewrite(knex, partition, forged, inside(broker).key);
  expect((await verifyDatabase(knex, {})).ok).toBe(true);
  const { faults } = await verifyDatabase(knex, { anchor });
  expect(faults).toMatchObject([
    { kind: "rewritten", checkpoint: 2 },
    { kind: "rewritten", partition, seq: forged },
  ]);
  expect(faults[1]).not.toHaveProperty("through");
}

test("checkpoints wait for a server that is away, and are copied once; what is signed anew is found", async () => {
  isAway = true;
  const { house, broker, knex, status } = await audited(variables(place));
  expect((await until(status, ({ trouble }) => trouble !== undefined)).trouble).toMatch(/anchor/);
  expect((await status()).unanchored).toBe(2);
  const service = "audit";
  const troubled = (reason: "anchor" | "broken") => metricOf(broker, auditMetrics.trouble, { service, reason });
  expect([await troubled("anchor"), await troubled("broken")]).toEqual([1, 0]);
  expect(await metricOf(broker, auditMetrics.unanchored, { service })).toBe(2);
  expect(await metricOf(broker, auditMetrics.unsigned, { service })).toBeGreaterThan(0);
  const inHealth = async (): Promise<unknown> => {
    const { dependencies } = await broker.call<{ dependencies: any[] }>("$health.report");
    return dependencies.find(({ kind }) => kind === "audit");
  };
  expect(await inHealth()).toMatchObject({ status: "FAIL", message: expect.stringContaining("anchor") });
  isAway = false;
  await until(async () => (await status()).unanchored === 0);
  await until("the trouble is over", async () => (await troubled("anchor")) === 0);
  expect(await inHealth()).toMatchObject({ status: "ok" });
  expect(await metricOf(broker, auditMetrics.unanchored, { service })).toBe(0);
  expect([...objects.keys()]).toEqual([1, 2].map(n => `/bucket/audit/00000000000${n}.json`));
  // An attempt whose answer was lost is made again.
  const before = new Map(objects);
  await knex("audit_checkpoints").update({ anchored: 0 });
  await until(async () => (await status()).unanchored === 0);
  expect(objects).toEqual(before);
  await rewriteSigned(broker, knex, resolveAnchor(place, ACCESS));
  // Nor is another one written over it.
  await knex("audit_checkpoints").update({ anchored: 0 });
  await until(async () => /has another checkpoint 2/.test((await status()).trouble ?? ""));
  expect(objects).toEqual(before);
  await house.stop();
});

test("a database that was put back from before a checkpoint is found", async () => {
  const { house, knex, status } = await audited(variables(place));
  await until(async () => (await status()).unanchored === 0);
  const [first] = await knex("audit_checkpoints").orderBy("number");
  await knex("audit_checkpoints").where({ number: 2 }).delete();
  for (const { partition, seq, hash } of JSON.parse(first.text).heads) {
    await knex("audit_records").where({ partition }).where("seq", ">", seq).delete();
    await knex("audit_heads").where({ partition }).update({ seq, hash });
  }
  expect((await verifyDatabase(knex, {})).ok).toBe(true);
  const { faults } = await verifyDatabase(knex, { anchor: resolveAnchor(place, ACCESS) });
  expect(faults[0]).toMatchObject({ kind: "removed", checkpoint: 2 });
  expect(faults[1]).toMatchObject({ kind: "removed", seq: expect.any(Number) });
  await house.stop();
});

test("in a file: it grows by a line, half a line is passed over, and a later line replaces none", async () => {
  const path = join(folder, "anchor", "audit.ndjson");
  const { AUDIT_ANCHOR_ACCESS_KEY, AUDIT_ANCHOR_SECRET_KEY, ...env } = variables(path);
  void [AUDIT_ANCHOR_ACCESS_KEY, AUDIT_ANCHOR_SECRET_KEY];
  let writes = 0;
  const { house, broker, knex, status } = await audited(env, async () => {
    await until(async () => (await resolveAnchor(path).newest(0)) === writes + 1);
    // As a crash leaves it.
    if (writes++ === 0) await appendFile(path, '{"checkpoint":"{\\"number\\":2');
  });
  await until(async () => (await status()).unanchored === 0);
  const anchor = resolveAnchor(path);
  expect(await anchor.newest(0)).toBe(2);
  const second = (await anchor.get(2))!;
  await appendFile(path, `\n${JSON.stringify({ checkpoint: second.signed.text.replace('"at":"2', '"at":"1') })}\n`);
  expect((await resolveAnchor(path).get(2))!.signed).toEqual(second.signed);
  const lines: Line[] = [];
  for await (const line of linesIn(knex)) lines.push(line);
  await rewriteSigned(broker, knex, resolveAnchor(path));
  await inside(broker).keeper.checkpoint();
  await until(async () => (await resolveAnchor(path).newest(0)) === 3);
  await house.stop();
  // An export proves what it says, also when the anchor has more by now. A database lacks the rest.
  const older = await verify(lines, { anchor: resolveAnchor(path), isExport: true });
  expect(older).toMatchObject({ ok: true, anchored: 2, anchorGoesOnTo: 3 });
  const { faults } = await verify(lines, { anchor: resolveAnchor(path) });
  expect(faults[0]).toMatchObject({ kind: "removed", checkpoint: 3 });
  // The anchor lacks a checkpoint that it was given: emptied, cut off, and another place.
  const kept = await readFile(path, "utf8");
  for (const content of ["", "garbage\n", kept.slice(0, kept.indexOf("\n", 1))]) {
    await writeFile(path, content);
    const verdict = await verify(lines, { anchor: resolveAnchor(path), isExport: true });
    expect(verdict.faults[0]).toMatchObject({ kind: "removed", says: expect.stringContaining("was given") });
  }
  const nowhere = resolveAnchor(join(folder, "no", "such"));
  expect((await verify(lines, { anchor: nowhere, isExport: true })).ok).toBe(false);
});
