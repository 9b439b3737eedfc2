// A service's definitions, found in its folder: for code that looks at a service from outside without a broker, such as
// the laws of its samples and the doctor.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { AnyContract } from "../contract/index.ts";
import type { Actor } from "./define-actor.ts";

export interface Definitions {
  readonly contract: AnyContract;
  /** A service has one type of actors at most. */
  readonly actor: Actor | undefined;
}

/**
 * The contract (`contract.ts`, exported as `contract`) and the actor of the service in a folder; undefined where it has no
 * contract. It loads the modules of the folder that call `defineActor`, and the modules that these import: definitions are
 * pure.
 */
export async function definitionsIn(folder: string): Promise<Definitions | undefined> {
  const file = ["contract.ts", "contract.js"].map(name => join(folder, name)).find(existsSync);
  if (file === undefined) return undefined;
  const { contract } = (await load(file)) as { contract: AnyContract };
  for (const name of readdirSync(folder).filter(mayDefineActor)) {
    const path = join(folder, name);
    if (!/\bdefineActor\(/.test(readFileSync(path, "utf8"))) continue;
    const actor = Object.values(await load(path)).find(value => isActorOf(contract, value));
    if (actor) return { contract, actor: actor as Actor };
  }
  return { contract, actor: undefined };
}

const load = (file: string): Promise<Record<string, unknown>> => import(pathToFileURL(file).href);

const mayDefineActor = (name: string): boolean =>
  /\.[jt]s$/.test(name) && !/\.(service|test|fixture|conformance|d)\.[jt]s$/.test(name);

const isActorOf = (contract: AnyContract, value: unknown): boolean =>
  typeof value === "object" && value !== null && (value as Partial<Actor>).contract === contract && "evolve" in value;
