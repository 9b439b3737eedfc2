import { readdirSync } from "node:fs";
import { join, resolve, sep } from "node:path";
import { pathToFileURL } from "node:url";
import type { ServiceSchema } from "moleculer";
import { Misconfigured } from "../kernel/index.ts";

/** End of the name of a file with a service's schema. */
const SUFFIX = /\.service\.[jt]s$/;

/** Files of the schemas below `root`, by service: a service is a folder, or a file of its own. */
export function servicesIn(root: string): Map<string, string[]> {
  const files = readdirSync(root, { encoding: "utf8", recursive: true }).filter(file => SUFFIX.test(file));
  const services = new Map<string, string[]>();
  for (const file of files.toSorted()) {
    const [top = ""] = file.split(sep);
    const service = top === file ? file.replace(SUFFIX, "") : top;
    services.set(service, [...(services.get(service) ?? []), join(root, file)]);
  }
  return services;
}

/** A path may contain `%`, `#` and `?`, which have a meaning in the argument of `import`. */
export async function schemaIn(file: string): Promise<ServiceSchema> {
  const { default: schema } = (await import(pathToFileURL(file).href)) as { default?: ServiceSchema };
  if (schema === undefined) throw new Misconfigured(`${file} has no service: export its schema as default`);
  return schema;
}

/** The services below `root`, by name. */
export const serviceNames = (root: string): string[] => [...servicesIn(root).keys()];

/** Path of a file that a service keeps beside its schema. */
export const serviceFile = (root: string, service: string, file: string): string => resolve(root, service, file);

/** Files with schemas of a service, absolute: its own, and those of the services that it brings along. */
export const serviceFiles = (root: string, service: string): string[] =>
  (servicesIn(root).get(service) ?? []).map(file => resolve(file));
