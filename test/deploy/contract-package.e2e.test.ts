// The contract of a service as a package, in a project that has nothing else of the shop.
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { contractPackage } from "../../deploy/contract-package.ts";
import { ROOT } from "./manifests.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "contract-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

test("another team calls the service by its types, and its contract runs from the package", () => {
  const modules = join(folder, "node_modules");
  const target = join(modules, "@acme/shipping-contract");
  mkdirSync(dirname(target), { recursive: true });
  expect(contractPackage("shipping", target, { version: "2.1.0" })).toBe("@acme/shipping-contract");
  const manifest = JSON.parse(readFileSync(join(target, "package.json"), "utf8"));
  expect(manifest).toMatchObject({ name: "@acme/shipping-contract", version: "2.1.0" });
  expect(Object.keys(manifest.peerDependencies).toSorted()).toEqual(["@valence/runtime", "typebox"]);
  expect(existsSync(join(target, "events"))).toBe(true);
  for (const name of ["@valence", "typebox", "moleculer", "@types"])
    symlinkSync(join(ROOT, "node_modules", name), join(modules, name));
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  const program = 'import { contract } from "@acme/shipping-contract"; console.log(contract.service);';
  const said = execFileSync(process.execPath, ["--input-type=module", "-e", program], {
    cwd: folder,
    encoding: "utf8",
  });
  expect(said).toBe("shipping\n");

  const calls = (params: string): number | null => {
    const code = `import type {} from "@acme/shipping-contract";
import type { Call } from "@valence/runtime/contract";
export const ship = (call: Call) => call("shipping.create", ${params});
`;
    writeFileSync(join(folder, "ship.ts"), code);
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({ extends: join(ROOT, "tsconfig.json"), include: ["ship.ts"], exclude: [] }),
    );
    return spawnSync("tsc", ["-p", folder], { encoding: "utf8" }).status;
  };
  const address = '{ name: "Ada", line1: "1 Main St", city: "London", postalCode: "N1 9GU", country: "GB" }';
  expect(calls(`{ id: "1", address: ${address}, items: [{ sku: "A", quantity: 1 }] }`)).toBe(0);
  expect(calls(`{ id: "1", address: ${address}, items: [{ sku: "A" }] }`)).not.toBe(0);
}, 120_000);

test.each<[string, string, object]>([
  ["services/nothing/contract.ts is not there", "nothing", {}],
  ["contract.ts is not there", "../services/shipping", {}],
  ["not a scope of npm", "shipping", { scope: "acme" }],
  ["not a version", "shipping", { version: "1" }],
])("refuses, and leaves nothing: %s", (...[message, service, options]) => {
  const target = join(folder, "package");
  expect(() => contractPackage(service, target, options)).toThrow(message);
  expect(existsSync(target)).toBe(false);
});
