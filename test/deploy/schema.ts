// Whether Kubernetes' API accepts the manifests: values by its schemas, names of fields by its types, since the schemas
// accept unknown fields.
import { execFile } from "node:child_process";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { idOf, ROOT, type Manifest } from "./manifests.ts";

const run = promisify(execFile);

/** Packages of the kinds that are not Kubernetes' own, by their group. */
const OPERATORS: Readonly<Record<string, string>> = {
  "monitoring.coreos.com": "@kubernetes-models/prometheus-operator",
};
const moduleOf = ({ apiVersion, kind }: Manifest): string =>
  `${OPERATORS[apiVersion.split("/")[0]!] ?? "kubernetes-models"}/${apiVersion}/${kind}`;

/** Values of a wrong type or form, required fields that are missing, kinds that do not exist. */
export async function wrongValues(manifests: readonly Manifest[]): Promise<string[]> {
  const found = manifests.map(async manifest => {
    try {
      const models = (await import(moduleOf(manifest))) as Record<string, new (from: object) => { validate(): void }>;
      new models[manifest.kind]!(manifest).validate();
      return [];
    } catch (error) {
      return [`${idOf(manifest)}: ${(error as Error).message}`];
    }
  });
  return (await Promise.all(found)).flat();
}

/** Unknown fields. The compiler reports the first one of each manifest. */
export async function unknownFields(manifests: readonly Manifest[]): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), "manifests-"));
  try {
    await symlink(join(ROOT, "node_modules"), join(folder, "node_modules"));
    const literals = manifests.map(
      (manifest, i) =>
        `export const m${i}: import("${moduleOf(manifest)}").I${manifest.kind} = ${JSON.stringify(manifest)};`,
    );
    await writeFile(join(folder, "manifests.ts"), literals.join("\n"));
    const flags =
      "--noEmit --strict --skipLibCheck --target esnext --module esnext --moduleResolution bundler --types".split(" ");
    const compiler = join(ROOT, "node_modules/typescript/bin/tsc");
    await run(process.execPath, [compiler, ...flags, "", "manifests.ts"], { cwd: folder });
    return [];
  } catch (error) {
    const { stdout } = error as { stdout?: string };
    if (!stdout) throw error;
    return [...stdout.matchAll(/^manifests\.ts\((\d+),\d+\): error \w+: (.*)$/gm)].map(
      ([, line, message]) => `${idOf(manifests[Number(line) - 1]!)}: ${message}`,
    );
  } finally {
    await rm(folder, { recursive: true });
  }
}
