import { globSync, readdirSync } from "node:fs";
import { join } from "node:path";

const FOLDER = join(import.meta.dirname, "../services");

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
