// node deploy/verify-image.ts <image>@sha256:… --repository <owner>/<name> exits with 1 unless the pipeline of that repository signed the
// image on its main branch or for a tag of a release.
import { parseArgs } from "node:util";
import { run, script, type Run } from "./run.ts";

const ISSUER = "https://token.actions.githubusercontent.com";

/** Throws when it is not signed, or by another. */
export function verifyImage(run: Run, image: string, repository: string): void {
  if (!/@sha256:[0-9a-f]{64}$/.test(image)) throw new Error(`name the image by its digest, not ${image}`);
  if (!/^[\w.-]+\/[\w.-]+$/.test(repository)) throw new Error(`name the repository as owner/name, not ${repository}`);
  const workflow = `https://github.com/${repository}/.github/workflows/release.yml`.replaceAll(".", "\\.");
  const identity = `^${workflow}@refs/(heads/main|tags/v[0-9.]+)$`;
  const by = ["--certificate-identity-regexp", identity, "--certificate-oidc-issuer", ISSUER];
  run("cosign", ["verify", ...by, image]);
  run("cosign", ["verify-attestation", "--type", "cyclonedx", ...by, image]);
}

if (import.meta.main)
  await script(() => {
    const { values, positionals } = parseArgs({ allowPositionals: true, options: { repository: { type: "string" } } });
    const [image] = positionals;
    if (image === undefined || values.repository === undefined)
      throw new Error("node deploy/verify-image.ts <image>@sha256:… --repository <owner>/<name>");
    verifyImage(run, image, values.repository);
    console.log(`${image} is signed by ${values.repository}`);
  });
