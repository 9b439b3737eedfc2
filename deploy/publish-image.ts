// node deploy/publish-image.ts <repository> --revision <commit> [--output <file>] builds the image, pushes it and signs it. Prints
// `image=<repository>@<digest>`, into the file too. REGISTRY_USER and REGISTRY_TOKEN log in before.
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { run, script, type Run } from "./run.ts";
import { writeSboms } from "./sbom.ts";

export interface Login {
  readonly user: string;
  readonly token: string;
}

/** The builder that can attest how an image was made; Docker's own cannot. */
const BUILDER = "valence";

/**
 * Builds and pushes; signs the digest by the identity of the pipeline's run (keyless), with the lists of packages. The registry has the
 * provenance beside the image. Returns `<repository>@<digest>`.
 */
export function publishImage(run: Run, repository: string, revision: string, login?: Login): string {
  const folder = mkdtempSync(join(tmpdir(), "image-"));
  try {
    if (login) {
      const [registry = ""] = repository.split("/");
      run("docker", ["login", registry, "--username", login.user, "--password-stdin"], { input: login.token });
    }
    run("docker", ["buildx", "create", "--name", BUILDER, "--driver", "docker-container"]);
    const metadata = join(folder, "metadata.json");
    run(
      "docker",
      [
        "buildx",
        "build",
        "--push",
        "--provenance=mode=max",
        "--sbom=true",
        `--builder=${BUILDER}`,
        `--tag=${repository}:${revision}`,
        `--build-arg=RELEASE=${revision}`,
        `--metadata-file=${metadata}`,
        ".",
      ],
      { isShown: true },
    );
    const { "containerimage.digest": digest } = JSON.parse(readFileSync(metadata, "utf8")) as Record<string, string>;
    const image = `${repository}@${digest}`;
    // The digest: a tag may be moved after it was signed.
    run("cosign", ["sign", "--yes", image], { isShown: true });
    const { cyclonedx, spdx } = writeSboms(run, folder);
    run("cosign", ["attest", "--yes", "--type", "cyclonedx", "--predicate", cyclonedx, image], { isShown: true });
    run("cosign", ["attest", "--yes", "--type", "spdxjson", "--predicate", spdx, image], { isShown: true });
    return image;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

if (import.meta.main)
  await script(() => {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { revision: { type: "string" }, output: { type: "string" } },
    });
    const [repository] = positionals;
    const { revision, output } = values;
    if (repository === undefined || revision === undefined)
      throw new Error("node deploy/publish-image.ts <repository> --revision <commit>");
    const { REGISTRY_USER: user, REGISTRY_TOKEN: token } = process.env;
    // Registries take lower case only, and a repository of code may have others.
    const image = publishImage(run, repository.toLowerCase(), revision, user && token ? { user, token } : undefined);
    const line = `image=${image}\n`;
    process.stdout.write(line);
    if (output !== undefined) appendFileSync(output, line);
  });
