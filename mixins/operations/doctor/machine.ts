// What a machine gives its nodes: certificates in files, room on disks, and the files of embedded databases.
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { certificateFilesOf, locationOf } from "../../database/index.ts";
import {
  certificateFilesIn,
  certificateState,
  diskSpace,
  diskState,
  type CertificateFile,
  type Environment,
} from "../../kernel/index.ts";
import { kafkaCertificates } from "../../stream/siblings.ts";
import { resultOf, type Result } from "./finding.ts";

/** The certificates that variables name, at `now`, milliseconds since the epoch. */
export function certificatesOf(
  environment: Environment,
  services: readonly string[],
  now = Date.now(),
): readonly Result[] {
  const ofDatabases = services.flatMap(service => certificateFilesOf(locationOf(environment, service)));
  const files = new Map<string, CertificateFile>();
  for (const file of [...certificateFilesIn(environment), ...kafkaCertificates(environment), ...ofDatabases])
    files.set(`${file.variable} ${file.path}`, file);
  return [...files.values()].map(file => resultOf("certificates", certificateState(file, now)));
}

/** The disks below the embedded databases of these services. */
export async function disksOf(environment: Environment, services: readonly string[]): Promise<readonly Result[]> {
  const locations = services.map(service => locationOf(environment, service));
  const folders = locations.flatMap(location => (location.kind === "sqlite" ? [dirname(location.filename)] : []));
  const there = [...new Set(folders)].filter(existsSync);
  return Promise.all(there.map(async folder => resultOf("disk", diskState(folder, await diskSpace(folder)))));
}

/** Names of the services whose tables are in a SQLite file of this machine. A service without tables has no file. */
export const embeddedIn = (environment: Environment, services: readonly string[]): string[] =>
  services.filter(service => {
    const location = locationOf(environment, service);
    return location.kind === "sqlite" && existsSync(location.filename);
  });
