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
  "cert-manager.io": "@kubernetes-models/cert-manager",
  "external-secrets.io": "@kubernetes-models/external-secrets",
  "keda.sh": "@kubernetes-models/keda",
  "monitoring.coreos.com": "@kubernetes-models/prometheus-operator",
  "networking.istio.io": "@kubernetes-models/istio",
  "postgresql.cnpg.io": "@kubernetes-models/cloudnative-pg",
  "security.istio.io": "@kubernetes-models/istio",
  "telemetry.istio.io": "@kubernetes-models/istio",
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

/**
 * Fields of a literal that its type does not have, at any depth. TypeScript's own check of literals misses those inside a union of
 * types, as Istio's are.
 */
const UNKNOWN = `
type Keys<T> = T extends unknown ? keyof T : never;
type Item<T> = T extends readonly (infer I)[] ? I : never;
type At<T, K> = T extends unknown ? (K extends keyof T ? NonNullable<T[K]> : never) : never;
type Unknown<L, T> = L extends readonly unknown[]
  ? Unknown<L[number], Item<T>>
  : L extends object
    ? { [K in keyof L]: K extends Keys<T> ? Unknown<L[K], At<T, K>> : K }[keyof L]
    : never;
type Known<L, T> = [Unknown<L, T>] extends [never] ? "known" : Unknown<L, T>;
`;

/** Unknown fields. The compiler reports one of each manifest. */
export async function unknownFields(manifests: readonly Manifest[]): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), "manifests-"));
  try {
    await symlink(join(ROOT, "node_modules"), join(folder, "node_modules"));
    const types = UNKNOWN.split("\n");
    const literals = manifests.map((manifest, i) => {
      const type = `import("${moduleOf(manifest)}").I${manifest.kind}`;
      const literal = `const m${i} = ${JSON.stringify(manifest)} as const;`;
      return `${literal} export const known${i}: Known<typeof m${i}, ${type}> = "known";`;
    });
    await writeFile(join(folder, "manifests.ts"), [...types, ...literals].join("\n"));
    const flags =
      "--noEmit --strict --skipLibCheck --target esnext --module esnext --moduleResolution bundler --types".split(" ");
    const compiler = join(ROOT, "node_modules/typescript/bin/tsc");
    await run(process.execPath, [compiler, ...flags, "", "manifests.ts"], { cwd: folder });
    return [];
  } catch (error) {
    const { stdout } = error as { stdout?: string };
    if (!stdout) throw error;
    return [...stdout.matchAll(/^manifests\.ts\((\d+),\d+\): error \w+: (.*)$/gm)].map(
      ([, line, message]) => `${idOf(manifests[Number(line) - 1 - UNKNOWN.split("\n").length]!)}: ${message}`,
    );
  } finally {
    await rm(folder, { recursive: true });
  }
}
