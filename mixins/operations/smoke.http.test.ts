// A smoke test against servers that answer badly, or never end.
import { afterEach, expect, test } from "@jest/globals";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { readEnvironment } from "../kernel/index.ts";
import { smokeOf, type SmokeResult } from "./smoke.ts";

let server: Server;
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

async function resultsAgainst(answer: (res: ServerResponse) => void): Promise<SmokeResult[]> {
  server = createServer((_, res) => answer(res));
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return Array.fromAsync(
    smokeOf([], { url, environment: readEnvironment({}), key: undefined, headers: {}, stepMs: 1_000 }),
  );
}
const json =
  (text: string, status = 200) =>
  (res: ServerResponse): void =>
    void res.writeHead(status, { "Content-Type": "application/json" }).end(text);

/** Writes for as long as somebody reads. */
function endless(res: ServerResponse): void {
  res.writeHead(200, { "Content-Type": "application/json" });
  const write = (): void => {
    while (res.write(Buffer.alloc(65_536, "a")));
  };
  res.on("drain", write);
  write();
}

test.each<[string, (res: ServerResponse) => void, RegExp]>([
  ["no word", () => {}, /^not within 1 s: an answer of .health.ready/],
  ["no end", endless, /^.health.ready answered 200 with more than \d+ bytes$/],
  ["half an answer", json('{"status":"ok'), /^.health.ready answered no JSON: 200 \{"status":"ok$/],
  ["another one's JSON", json("null"), /without a status$/],
  [
    "a command to the terminal and one to the pipeline",
    json("\u001b[2Jready\n::error::planted\u2028x", 500),
    /^.health.ready answered 500 {2}\[2Jready ::error::planted x$/,
  ],
])("%s fails the step in one line", async (...[, answer, detail]) => {
  expect(await resultsAgainst(answer)).toEqual([
    { says: "the gateway is ready", status: "FAIL", detail: expect.stringMatching(detail) },
  ]);
});
