// A machine's key opens what its scopes name, and never what the account itself stands on: its keys, its password, the end
// of its sessions.
import { callErrors, type Meta } from "../contract/index.ts";

/** Refuses (403) a request with an API key. */
export function noKey({ meta: { user } }: { readonly meta: Meta }): void {
  if (user?.scopes !== undefined)
    throw callErrors.FORBIDDEN({ message: "an API key may not do this: log in as a person" });
}
