import { readdirSync } from "node:fs";
import { join } from "node:path";

const FOLDER = join(import.meta.dirname, "../services");

/** A service is its folder. */
export const serviceNames = (): string[] =>
  readdirSync(FOLDER, { withFileTypes: true })
    .filter(entry => entry.isDirectory())
    .map(({ name }) => name)
    .sort();

export const serviceFile = (service: string, file: string): string => join(FOLDER, service, file);
