// Istio's own analyzer over the overlays with a mesh: names that lead nowhere, ports that are taken twice, rules that never match.
import { expect, test } from "@jest/globals";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { buildGo, builtGo } from "../../mixins/testing/servers/go-program.ts";
import { broken, hasKubectl, render, type Manifest } from "./manifests.ts";

const ISTIOCTL = {
  name: "istioctl",
  module: "istio.io/istio",
  version: "v0.0.0-20260827124520-eed52ebb66ad",
  main: "./istioctl/cmd/istioctl",
} as const;

const mayBuild = process.env["ISTIOCTL"] === "build";
const isThere = hasKubectl() && (mayBuild || builtGo(ISTIOCTL) !== undefined);
// It takes many minutes to build: `npm run test:istioctl` does, and what it leaves is used by every run. Without kubectl nothing is
// rendered.
const testWithIstioctl = isThere ? test : test.skip;
const note = isThere ? "" : " (skipped: no kubectl, or no istioctl: `npm run test:istioctl` builds one where Go is)";

interface Finding {
  readonly code: string;
  readonly level: string;
  readonly origin: string;
  readonly message: string;
}

/** What it finds besides remarks, as `code origin: message`. */
function analyzed(manifests: readonly Manifest[]): string[] {
  const folder = mkdtempSync(join(tmpdir(), "istio-"));
  try {
    const file = join(folder, "manifests.yaml");
    writeFileSync(file, manifests.map(one => stringify(one)).join("---\n"));
    const args = ["analyze", "--use-kube=false", "--output", "json", "--namespace", "valence", file];
    const { stdout, stderr } = spawnSync(mayBuild ? buildGo(ISTIOCTL) : builtGo(ISTIOCTL)!, args, { encoding: "utf8" });
    if (!stdout.trim()) throw new Error(`istioctl says: ${stderr}`);
    const found = JSON.parse(stdout) as Finding[] | null;
    return (found ?? [])
      .filter(({ level }) => level !== "Info")
      .map(one => `${one.code} ${one.origin}: ${one.message}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const BUILD_MS = 3_600_000;

testWithIstioctl.each(["production", "production-ambient", "staging"])(
  `%s has nothing that istioctl warns of${note}`,
  overlay => expect(analyzed(render(`k8s/overlays/${overlay}`))).toEqual([]),
  BUILD_MS,
);

testWithIstioctl(`a subset that is not there is found${note}`, () => {
  const production = render("k8s/overlays/production");
  const spoilt = broken(
    production,
    "VirtualService",
    /gateway/,
    one => (one.spec.http[0].route[1].destination.subset = "next"),
  );
  expect(analyzed(spoilt)).toContainEqual(expect.stringContaining("next"));
});
