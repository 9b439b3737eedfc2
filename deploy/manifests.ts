// The manifests of a release: an overlay with the image of the release in it.
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { parseAllDocuments } from "yaml";
import type { Run } from "./run.ts";

export interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
  readonly spec?: any;
}
export interface Release {
  readonly manifests: readonly Manifest[];
  /** What the migration needs, and the migration: applied before everything else. */
  readonly first: readonly Manifest[];
  /** Deployments and StatefulSets as kubectl names them, `deployment/core`. */
  readonly workloads: readonly string[];
}

const IMAGE = /^(?<name>[\w.:/-]+)@(?<digest>sha256:[0-9a-f]{64})$/;
/** By what the manifests call our image: the base, and an overlay that names a registry. */
const OURS = /(^|\/)valence[:@]/;

/**
 * The overlay's manifests with every container of ours at this image, by its digest: a tag may mean another image when the next pod
 * starts. Throws where the overlay has no such container.
 */
export function releaseOf(run: Run, overlay: string, image: string): Release {
  const found = IMAGE.exec(image)?.groups;
  if (!found) throw new Error(`name the image by its digest, registry.example.com/valence@sha256:…, not ${image}`);
  const names = new Set(
    imagesIn(render(run, overlay))
      .filter(one => OURS.test(one))
      .map(one => one.split(/@|:(?=[^/]*$)/)[0]!),
  );
  if (names.size === 0) throw new Error(`${overlay} runs no image of ours`);
  const manifests = render(run, overlay, imagesText([...names], found["name"]!, found["digest"]!));
  return {
    manifests,
    first: manifests.filter(({ metadata }) => metadata.labels?.["valence/apply"] === "first"),
    workloads: manifests
      .filter(({ kind }) => ["Deployment", "StatefulSet"].includes(kind))
      .map(({ kind, metadata }) => `${kind.toLowerCase()}/${metadata.name}`),
  };
}

const imagesText = (names: readonly string[], newName: string, digest: string): string =>
  `images:\n${names.map(name => `  - { name: "${name}", newName: "${newName}", digest: "${digest}" }\n`).join("")}`;

/** An overlay with more in its kustomization. */
function render(run: Run, overlay: string, more = ""): Manifest[] {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "release-")));
  try {
    const text = `resources: ["${relative(folder, realpathSync(resolve(overlay)))}"]\n${more}`;
    writeFileSync(join(folder, "kustomization.yaml"), text);
    return parseAllDocuments(run("kubectl", ["kustomize", folder])).map(document => document.toJS() as Manifest);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const imagesIn = (manifests: readonly Manifest[]): string[] =>
  manifests.flatMap(({ spec }) =>
    (spec?.template?.spec?.containers ?? []).map(({ image }: { image: string }) => image),
  );
