// Public events among the released shapes of a service: `events.json` has them beside its own, and they keep the same promises.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { AnyContract } from "../../contract/index.ts";
import type { Outbound } from "./define-outbound.ts";

const IS_OUTBOUND = /\.outbound\.[jt]s$/;

/** The public events of the service in a folder, which `<name>.outbound.ts` define. */
export async function outboundsIn(folder: string): Promise<Outbound[]> {
  const names = existsSync(folder) ? readdirSync(folder).filter(name => IS_OUTBOUND.test(name)) : [];
  const modules = await Promise.all(
    names.sort().map(name => import(pathToFileURL(join(folder, name)).href) as Promise<object>),
  );
  return modules.flatMap(module => Object.values(module).filter(isOutbound));
}

const isOutbound = (value: unknown): value is Outbound =>
  typeof value === "object" && value !== null && "event" in value && "schema" in value && "on" in value;

/** A contract with the public events of its folder beside its own: what a release promises to readers outside. */
export async function withPublicEvents(contract: AnyContract, folder: string): Promise<AnyContract> {
  const outbounds = await outboundsIn(folder);
  if (outbounds.length === 0) return contract;
  const schemas = Object.fromEntries(outbounds.map(({ event, schema }) => [event, schema]));
  const versions = Object.fromEntries(outbounds.map(({ event, version }) => [event, version]));
  return {
    ...contract,
    events: { ...(contract.events as object), ...schemas },
    versions: { ...contract.versions, ...versions },
  };
}
