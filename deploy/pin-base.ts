// node deploy/pin-base.ts asks the registry for the digest that the base image has now, and writes it into the Dockerfile. From then on
// dependency updates raise tag and digest together.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run, script, type Run } from "./run.ts";

const DOCKERFILE = join(import.meta.dirname, "../Dockerfile");
const BASE = /^ARG NODE=(?<tag>[\w.:/-]+)(@sha256:[0-9a-f]{64})?$/m;

/** The text with the base by its digest. Throws where it names none, or the registry does not answer with one. */
export function pinned(run: Run, dockerfile: string): string {
  const tag = BASE.exec(dockerfile)?.groups?.["tag"];
  if (tag === undefined) throw new Error("the Dockerfile has no ARG NODE=<image>");
  const digest = run("docker", ["buildx", "imagetools", "inspect", tag, "--format", "{{.Manifest.Digest}}"]).trim();
  if (!/^sha256:[0-9a-f]{64}$/.test(digest)) throw new Error(`the registry gave no digest of ${tag}, but "${digest}"`);
  return dockerfile.replace(BASE, `ARG NODE=${tag}@${digest}`);
}

if (import.meta.main) await script(() => writeFileSync(DOCKERFILE, pinned(run, readFileSync(DOCKERFILE, "utf8"))));
