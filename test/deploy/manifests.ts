// The manifests as `kubectl apply -k` sends them.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { parseAllDocuments } from "yaml";

export const ROOT = join(import.meta.dirname, "../..");

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { name: string; labels?: Record<string, string> };
  spec?: any;
  data?: Record<string, string>;
  automountServiceAccountToken?: boolean;
}

export const hasKubectl = (): boolean => spawnSync("kubectl", ["version", "--client"]).status === 0;

/** The manifests that `kubectl apply -k` would send; this asks no cluster. */
export const render = (folder: string): Manifest[] =>
  manifestsOf(execFileSync("kubectl", ["kustomize", join(ROOT, folder)], { encoding: "utf8" }));

/** The manifests of an overlay with more components: `text` is the rest of its kustomization. */
export function renderWith(overlay: string, components: readonly string[], text = ""): Manifest[] {
  const folder = mkdtempSync(join(tmpdir(), "overlay-"));
  try {
    const here = (path: string): string => relative(realpathSync(folder), join(ROOT, path));
    const list = components.map(component => `  - ${here(component)}\n`).join("");
    const kustomization = `resources: [${here(overlay)}]\ncomponents:\n${list}${text}`;
    writeFileSync(join(folder, "kustomization.yaml"), kustomization);
    return manifestsOf(execFileSync("kubectl", ["kustomize", folder], { encoding: "utf8" }));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A copy of the manifests with one mistake in it. Throws when there is nothing to spoil. */
export function broken(
  manifests: readonly Manifest[],
  kind: string,
  name: RegExp,
  spoil: (manifest: Manifest, all: Manifest[]) => void,
): Manifest[] {
  const copy = structuredClone(manifests) as Manifest[];
  const found = copy.find(one => one.kind === kind && name.test(one.metadata.name));
  if (!found) throw new Error(`there is no ${kind} ${name.source}`);
  spoil(found, copy);
  return copy;
}

/** Throws for text that is no YAML, or that has a key twice. */
export function manifestsOf(text: string): Manifest[] {
  return parseAllDocuments(text, { uniqueKeys: true, merge: true }).map(document => {
    if (document.errors.length > 0) throw document.errors[0]!;
    const manifest = document.toJS() as Manifest;
    // kubectl breaks the base64 of a longer value into lines, which the API server ignores and its schema does not.
    if (manifest.kind === "Secret")
      for (const [key, value] of Object.entries(manifest.data ?? {})) manifest.data![key] = value.replaceAll("\n", "");
    return manifest;
  });
}

export const idOf = ({ kind, metadata }: Manifest): string => `${kind} ${metadata.name}`;
