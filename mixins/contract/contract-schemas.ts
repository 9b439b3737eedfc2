// Every schema of a contract, with the name under which its author finds it. A contract is checked when it is defined: a
// wrong field stops the start, in each process that loads it, and not the first event that has the field.
import type { TProperties, TSchema } from "typebox";
import { Misconfigured } from "../kernel/index.ts";
import { isPermission } from "./permissions.ts";
import { assertSchema } from "./schema-faults.ts";

interface Parts {
  readonly service: string;
  readonly state: TProperties;
  readonly commands: Readonly<Record<string, TProperties>>;
  readonly replies: Readonly<Record<string, TProperties>>;
  readonly events: Readonly<Record<string, TProperties>>;
  readonly actions: Readonly<Record<string, { readonly params: TProperties; readonly returns: TSchema }>>;
  readonly permissions: Readonly<Record<string, string | false | undefined>>;
}

/** Throws Misconfigured, `loyalty.open: params.since: unknown format "dat"`, for a schema or a permission that is wrong. */
export function assertSchemas({ service, state, commands, replies, events, actions, permissions }: Parts): void {
  assertFields(state, `${service}: state`);
  for (const [name, params] of Object.entries(commands)) assertFields(params, `${service}.${name}: params`);
  for (const [name, reply] of Object.entries(replies)) assertFields(reply, `${service}.${name}: reply`);
  for (const [type, data] of Object.entries(events)) assertFields(data, `${service}: event ${type}`);
  for (const [name, { params, returns }] of Object.entries(actions)) {
    assertFields(params, `${service}.${name}: params`);
    assertSchema(returns, `${service}.${name}: returns`);
  }
  for (const [name, permission] of Object.entries(permissions))
    if (permission !== undefined && permission !== false && !isPermission(permission))
      throw new Misconfigured(`${service}.${name}: the permission "${permission}" is not <thing>:<word>`);
}

function assertFields(properties: TProperties, where: string): void {
  for (const [field, schema] of Object.entries(properties)) assertSchema(schema, `${where}.${field}`);
}
