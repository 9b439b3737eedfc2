import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brokenPromises, defineContract, releasedWith, tellBroken, unreleased } from "../../contract/index.ts";
import { withPublicEvents } from "./released.ts";

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "outbound-"))));
afterEach(() => rmSync(folder, { recursive: true }));

const contract = defineContract({ service: "desk", events: { "desk.opened": {} } });
const write = (name: string, required: string) =>
  writeFileSync(
    join(folder, name),
    `export const E = { event: "library.loan.ended", version: 1, on: {}, schema: { ${required}: { type: "string" } } };`,
  );

test("a public event keeps what was released of it, as an inner one does", async () => {
  write("loan-ended.outbound.js", "loan");
  const whole = await withPublicEvents(contract, folder);
  expect(unreleased(whole, {})).toEqual(["desk.opened v1", "library.loan.ended v1"]);
  const released = releasedWith(whole, {});
  expect(brokenPromises(whole, released)).toEqual([]);
  rmSync(join(folder, "loan-ended.outbound.js"));
  write("other.outbound.js", "book");
  expect(brokenPromises(await withPublicEvents(contract, folder), released).map(tellBroken)).toContain(
    "library.loan.ended v1, loan, forward: presence is absent, released as required",
  );
});

test("a folder without public events, or none at all, adds nothing", async () => {
  expect(await withPublicEvents(contract, folder)).toBe(contract);
  expect(await withPublicEvents(contract, join(folder, "gone"))).toBe(contract);
});
