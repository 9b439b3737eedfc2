// Calls on nobody's behalf, as a saga or a reactor makes them: no person's permissions stand for them, so that the role of the
// node that calls must. A role may use its own services, and of others what is for its services.
import { mayRun, type Role } from "../../kernel/index.ts";

/** The options of an action that we judge by: see `permissions` and `callers` of a contract. */
export interface Judged {
  readonly name: string;
  readonly permission?: unknown;
  readonly callers?: readonly string[];
}

/** Any service of the cluster. */
const ANY = "*";

/** Whether a node of the role may use the action of this service on nobody's behalf. */
export function mayCallForNobody(role: Role, service: string, { permission, callers }: Judged): boolean {
  if (mayRun(role, service)) return true;
  if (callers === undefined) return typeof permission !== "string";
  return callers.some(name => name === ANY || mayRun(role, name));
}
