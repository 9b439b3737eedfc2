// Ingresses that an operator has paused: a row each, in the service's own database, so that it holds for every node and start.
import { rfc3339 } from "../../kernel/index.ts";
import type { Database } from "../../database/index.ts";

export interface Pausing {
  readonly at: string;
  /** Id of the operator, where it is known. */
  readonly by: string | null;
  readonly note: string | null;
}

export async function pausesIn({ knex }: Database): Promise<ReadonlyMap<string, Pausing>> {
  const rows: (Pausing & { ingress: string })[] = await knex("paused_ingresses");
  return new Map(rows.map(({ ingress, at, by, note }) => [ingress, { at, by, note }]));
}

export const isPaused = async ({ knex }: Database, ingress: string): Promise<boolean> =>
  (await knex("paused_ingresses").where({ ingress }).first("ingress")) !== undefined;

/** Pauses it; one that is paused keeps its first note and time. */
export async function pause(
  database: Database,
  ingress: string,
  { by, note }: { by: string | undefined; note: string | undefined },
): Promise<void> {
  const at = rfc3339(await database.now());
  await database
    .knex("paused_ingresses")
    .insert({ ingress, at, by: by ?? null, note: note ?? null })
    .onConflict("ingress")
    .ignore();
}

export const resume = async ({ knex }: Database, ingress: string): Promise<void> =>
  void (await knex("paused_ingresses").where({ ingress }).delete());
