// Use of each action of accounts, by persons, keys or services: decided here once, for the action and for its route. A machine's key opens what its
// scopes name, and never what outlives it or what an account stands on: keys, passwords, sessions, mailboxes, roles. A key that
// leaked would otherwise make its finder an administrator, who is still one when the key is revoked.
import type { Context, ServiceSchema } from "moleculer";
import { callErrors, type Meta } from "../contract/index.ts";
import type { Route } from "../gateway/index.ts";
import type { AccountsContract } from "./contract.ts";

/**
 * - `anybody`: it asks for no log-in
 * - `key`: a person, or a key whose scopes name it
 * - `person`: no key, whatever its scopes
 * - `service`: services on nobody's behalf
 */
export type Use = "anybody" | "key" | "person" | "service";

/** Every action has to be here: a new one does not compile until it is decided. */
export const USE: Readonly<Record<keyof AccountsContract["actions"], Use>> = {
  register: "anybody",
  login: "anybody",
  refresh: "anybody",
  logout: "anybody",
  openSession: "anybody",
  closeSession: "anybody",
  forgotPassword: "anybody",
  resetPassword: "anybody",
  verifyEmail: "anybody",
  jwks: "anybody",

  get: "key",
  list: "key",
  readSession: "key",
  sessions: "key",
  apiKeys: "key",
  signingKeys: "key",
  // A name opens nothing.
  changeProfile: "key",

  setRoles: "person",
  createApiKey: "person",
  revokeApiKey: "person",
  changePassword: "person",
  endSession: "person",
  endSessions: "person",
  // The mailbox tells who owns an account: a stranger's key must not go on asking the owner to vouch for it.
  sendVerification: "person",
  rotateKeys: "person",

  exchange: "service",
  claimAnswer: "service",
  finishAnswer: "service",
  releaseAnswer: "service",
};

const isForPersons = (action: string): boolean => (USE as Readonly<Record<string, Use>>)[action] === "person";

/** Refuses (403) a request with an API key. */
function noKey({ meta: { user } }: { readonly meta: Meta }): void {
  if (user?.scopes !== undefined)
    throw callErrors.FORBIDDEN({ message: "an API key may not do this: log in as a person" });
}

type Handler = (this: unknown, ctx: Context<any, Meta>) => unknown;

/** The schema of accounts, whose actions for persons refuse keys before anything else. */
export function refusingKeys(schema: ServiceSchema): ServiceSchema {
  const actions = { ...schema.actions } as Record<string, { handler: Handler }>;
  for (const [name, { handler, ...rest }] of Object.entries(actions)) {
    if (!isForPersons(name)) continue;
    actions[name] = {
      ...rest,
      handler(ctx) {
        noKey(ctx);
        return handler.call(this, ctx);
      },
    };
  }
  return { ...schema, actions } as ServiceSchema;
}

/** The route, closed to keys where its action is: then the gateway refuses one before it reads the body. */
export const closedToKeys = <R extends Route>(route: R): R => {
  const { target } = route;
  const action = "stream" in target ? target.stream.action : target.action;
  return isForPersons(action.slice("accounts.".length)) ? { ...route, keys: false } : route;
};
