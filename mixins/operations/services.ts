import { globSync, readdirSync } from "node:fs";
import { join, sep } from "node:path";
import { pathToFileURL } from "node:url";
import type { ServiceSchema } from "moleculer";
import { Misconfigured } from "../kernel/index.ts";

/** What ends the name of a file with a service's schema. */
const SUFFIX = ".service.ts";

/** The schemas' files below `root`, by service: a service is its folder, or a file of its own. */
export function servicesIn(root: string): Map<string, string[]> {
  const files = readdirSync(root, { encoding: "utf8", recursive: true }).filter(file => file.endsWith(SUFFIX));
  const services = new Map<string, string[]>();
  for (const file of files.toSorted()) {
    const [top = ""] = file.split(sep);
    const service = top === file ? file.slice(0, -SUFFIX.length) : top;
    services.set(service, [...(services.get(service) ?? []), join(root, file)]);
  }
  return services;
}

/** A path may have `%`, `#` and `?` in it, which mean something else in what `import` takes. */
export async function schemaIn(file: string): Promise<ServiceSchema> {
  const { default: schema } = (await import(pathToFileURL(file).href)) as { default?: ServiceSchema };
  if (schema === undefined) throw new Misconfigured(`${file} has no service: export its schema as default`);
  return schema;
}

const FOLDER = join(import.meta.dirname, "../../services");

/** A service is its folder. */
export const serviceNames = (): string[] =>
  readdirSync(FOLDER, { withFileTypes: true })
    .filter(entry => entry.isDirectory())
    .map(({ name }) => name)
    .sort();

export const serviceFile = (service: string, file: string): string => join(FOLDER, service, file);

/** Where a service's folder has schemas: the service's own, and that of what it brings along. */
export const serviceFiles = (service: string): string[] =>
  globSync("**/*.service.ts", { cwd: join(FOLDER, service) })
    .sort()
    .map(file => serviceFile(service, file));
