// The rules that a bus cannot show: clocks, windows, and certificates of other clusters.
import { expect, test } from "@jest/globals";
import { clusterKeysIn, newClusterKeys, readEnvironment, type ClusterKeys } from "../../kernel/index.ts";
import { readCertificate, mintCertificate } from "./certificate.ts";
import { NodeIdentity } from "./identity.ts";
import { IDENTITY_LIMITS as limits } from "./limits.ts";
import { ReplayWindow } from "./replay-window.ts";

const { clusterKeys, nodeKeys } = newClusterKeys({ core: ["loans"], door: ["api"] });
const keysOf = (role: string): ClusterKeys =>
  clusterKeysIn(readEnvironment({ CLUSTER_KEYS: clusterKeys, NODE_KEY: nodeKeys.get(role)! }))!;
const NOW = 1_800_000_000_000;
const run = { nodeId: "core.1", instance: "i", key: "k", bornAt: NOW };
const certificate = mintCertificate(keysOf("core"), "MOL", run, NOW);
const read = (text: string, now = NOW, cluster = "MOL") => readCertificate(text, keysOf("door"), cluster, now);

test("a certificate says who a run is, for its time, in its cluster", () => {
  expect(read(certificate)).toMatchObject({ ...run, role: { name: "core" } });
  const { certificateLifeMs, clockToleranceMs } = limits;
  expect(read(certificate, NOW + certificateLifeMs + clockToleranceMs + 1)).toBeUndefined();
  expect(read(certificate, NOW - clockToleranceMs - 1)).toBeUndefined();
  expect(read(certificate, NOW - clockToleranceMs + 1)).toBeDefined();
  expect(read(certificate, NOW, "MOL-other")).toBeUndefined();
});

test("a role speaks for its own nodes only, and a changed certificate for none", () => {
  expect(read(mintCertificate(keysOf("door"), "MOL", run, NOW))).toBeUndefined();
  expect(read(mintCertificate(keysOf("core"), "MOL", { ...run, nodeId: "core." }, NOW))).toBeUndefined();
  const [head, body, signature] = certificate.split(".");
  const other = Buffer.from(
    JSON.stringify({ ...JSON.parse(Buffer.from(body!, "base64url").toString()), sub: "core.2" }),
  );
  for (const text of [
    "",
    "..",
    `${head}.${other.toString("base64url")}.${signature}`,
    `${head}.${body}.`,
    `${certificate}.x`,
  ])
    expect(read(text)).toBeUndefined();
});

test("a packet is for one node, of one type", () => {
  const [core, door, second] = [
    ["core", "core.1"],
    ["door", "door.1"],
    ["door", "door.2"],
  ].map(
    ([role, nodeId]) => new NodeIdentity({ keys: keysOf(role!), cluster: "MOL", nodeId: nodeId!, instance: nodeId! }),
  );
  const text = Buffer.from("{}");
  for (const node of [door!, second!]) core!.read(node.write(text, "DISCOVER", null)!, "DISCOVER");
  expect(core!.write(text, "REQ", "door.9")).toBeUndefined();
  const packet = core!.write(text, "REQ", "door.1")!;
  expect(second!.read(packet, "REQ")).toEqual({ refused: "forged" });
  expect(door!.read(packet, "EVENT")).toEqual({ refused: "unsigned" });
  expect(door!.read(packet, "REQ")).toMatchObject({ from: { nodeId: "core.1" } });
  expect(door!.read(packet, "REQ")).toEqual({ refused: "replayed" });
  for (let at = 0; at < packet.length; at++) {
    const changed = Buffer.from(core!.write(text, "REQ", "door.1")!);
    changed[at]! ^= 1;
    expect(door!.read(changed, "REQ")).toHaveProperty("refused");
  }
});

test("numbers count once, in any order within the window", () => {
  const window = new ReplayWindow();
  expect([1, 3, 2, 2, 3, 1].map(number => window.take(number))).toEqual([true, true, true, false, false, false]);
  const far = 10 * limits.windowPackets;
  expect([far, far - 1, far - limits.windowPackets, far].map(number => window.take(number))).toEqual([
    true,
    true,
    false,
    false,
  ]);
});
