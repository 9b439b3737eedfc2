// node deploy/sbom.ts <folder> writes what the image has of npm, as CycloneDX and as SPDX, from the lock file.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run, script, type Run } from "./run.ts";

export interface Sboms {
  readonly cyclonedx: any;
  readonly spdx: any;
}

/**
 * The packages of the image; those of the pages among them, since the pages have their code. npm lists all, and we leave out what the
 * lock file has for tools alone: npm's own `--omit dev` also leaves out what a tool needs as well as we do, Moleculer among them (npm 11.19).
 */
export function sbomsOf(run: Run): Sboms {
  const tools = toolsIn(readFileSync(join(import.meta.dirname, "../package-lock.json"), "utf8"));
  const [cyclonedx, spdx] = ["cyclonedx", "spdx"].map((format): any =>
    JSON.parse(run("npm", ["sbom", "--sbom-format", format, "--package-lock-only"])),
  );
  const isOurs = ({ name, versionInfo }: any): boolean => !tools.has(`${name}@${versionInfo}`);
  const ids = new Set(
    spdx.packages
      .filter(isOurs)
      .map(({ SPDXID }: any) => SPDXID)
      .concat(spdx.SPDXID),
  );
  return {
    cyclonedx: {
      ...cyclonedx,
      components: cyclonedx.components.filter((one: any) => !tools.has(one["bom-ref"])),
      dependencies: cyclonedx.dependencies
        .filter(({ ref }: any) => !tools.has(ref))
        .map((one: any) => ({ ...one, dependsOn: one.dependsOn.filter((ref: string) => !tools.has(ref)) })),
    },
    spdx: {
      ...spdx,
      packages: spdx.packages.filter(isOurs),
      relationships: spdx.relationships.filter(
        ({ spdxElementId, relatedSpdxElement }: any) => ids.has(spdxElementId) && ids.has(relatedSpdxElement),
      ),
    },
  };
}

/** `name@version` of those that are installed for tools and for nothing else. A version may lie at two paths. */
function toolsIn(lock: string): Set<string> {
  const { packages } = JSON.parse(lock) as { packages: Record<string, { version?: string; dev?: boolean }> };
  const [tools, ours] = [new Set<string>(), new Set<string>()];
  for (const [path, { version, dev }] of Object.entries(packages))
    (dev ? tools : ours).add(`${path.replace(/^.*node_modules\//, "")}@${version}`);
  return tools.difference(ours);
}

/** The files' paths. */
export function writeSboms(run: Run, folder: string): Record<keyof Sboms, string> {
  mkdirSync(folder, { recursive: true });
  const write = (name: string, sbom: unknown): string => {
    const path = join(folder, name);
    writeFileSync(path, JSON.stringify(sbom, undefined, 2));
    return path;
  };
  const { cyclonedx, spdx } = sbomsOf(run);
  return { cyclonedx: write("cyclonedx.json", cyclonedx), spdx: write("spdx.json", spdx) };
}

if (import.meta.main)
  await script(() => {
    const [folder] = process.argv.slice(2);
    if (folder === undefined) throw new Error("node deploy/sbom.ts <folder>");
    for (const path of Object.values(writeSboms(run, folder))) console.log(path);
  });
