// The manifests as `kubectl apply -k` sends them.
import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";
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
