// An ordinary Moleculer service schema from a contract: handlers are typed by it, params are checked against it, and `this`
// has what the mixins add.
import type { CallingOptions, Context as MoleculerContext, Service, ServiceSchema } from "moleculer";
import Type, { type Static, type TProperties, type TSchema } from "typebox";
import {
  strictObject,
  type ActionName,
  type ActionShape,
  type AnyContract,
  type Contract,
  type Data,
  type DeepReadonly,
  type ParamsOf,
  type RecordAction,
  type ResultOf,
} from "./contract.ts";
import type { Permission } from "./permissions.ts";
import type { Role } from "./roles.ts";
import { errorsOf } from "./refusals.ts";
import { personalFieldsOf } from "./personal.ts";
import { secretsOf } from "./secrets.ts";

/**
 * The person on whose behalf a request runs; with an empty id one who is not logged in. The gateway sets it, and each node
 * sets it anew from the token that travels with a call. A call between services on nobody's behalf has none.
 */
export interface User {
  readonly id: string;
  readonly roles: readonly Role[];
  /** Permissions that the credential is narrowed to, as an API key's is; absent: those of the roles. */
  readonly scopes?: readonly string[];
  /** The session that the access token belongs to, where it says so. */
  readonly session?: string;
  /** Id of the API key that the access token was given for. */
  readonly key?: string;
}
export interface Meta {
  user?: User;
  /** The signed access token of that person: another node believes it, and not `user`. */
  token?: string;
  /** The person for whom a service acts since an earlier request. For the record only: permissions are those of `user`. */
  onBehalf?: { readonly user: string; readonly key?: string };
  /** The network that the request came from, as the gateway saw it. */
  address?: string;
  /** The client's `User-Agent`, cut; for actions that anyone may call. */
  userAgent?: string;
  [key: string]: unknown;
}

/** Moleculer's context with a typed `call`; the options are Moleculer's own. */
export type Context<P = unknown> = Omit<MoleculerContext<P, Meta>, "call"> & {
  call: <A extends ActionName>(action: A, params: ParamsOf<A>, options?: CallingOptions) => Promise<ResultOf<A>>;
};

type Handler<P, R> = (ctx: Context<P>) => Promise<DeepReadonly<R>> | DeepReadonly<R>;
/** A handler, or a handler with Moleculer's action options (`cache`, `timeout`, `visibility`). */
type Handlers<A extends Record<string, ActionShape>> = {
  [X in keyof A]:
    | Handler<Data<A[X]["params"]>, Static<A[X]["returns"]>>
    | (ActionOptions & { handler: Handler<Data<A[X]["params"]>, Static<A[X]["returns"]>> });
};
export interface ActionOptions {
  readonly cache?: boolean | { keys?: string[]; ttl?: number };
  readonly timeout?: number;
  readonly visibility?: "published" | "public" | "protected" | "private";
  /** The param whose value chooses the node, by rendezvous hashing. */
  readonly placement?: string;
  /** Whether a call whose reply was lost may be sent again: a read, or a command under the id that its call carries. */
  readonly repeatable?: boolean;
}

declare const ADDS: unique symbol;
/** A mixin that says what it adds to `this`: `Mixin<{ database: Database }>`. */
export type Mixin<Adds extends object> = Partial<ServiceSchema> & { readonly [ADDS]: Adds };
type AddsOf<M extends readonly unknown[]> = M extends readonly [infer First, ...infer Others]
  ? (First extends Mixin<infer Adds> ? Adds : {}) & AddsOf<Others>
  : {};
/**
 * The `this` of a handler: Moleculer's service and the additions of the mixins. Fields and methods of the service itself
 * are not checked: methods that follow the actions in the schema are not known yet when those are typed.
 */
type This<M extends readonly unknown[]> = Service & AddsOf<M> & Record<string, any>;

/** The part that an author writes besides contract and handlers: Moleculer's own schema, without the contract's part. */
type Rest<M extends readonly unknown[]> = Omit<
  Partial<ServiceSchema<ServiceSchema["settings"], {}, {}, This<M>>>,
  "name" | "actions" | "mixins"
> & { readonly mixins?: M };

/**
 * An ordinary Moleculer service schema from a contract. Each of the contract's actions must have a handler; params are
 * validated against the contract, unknown keys refused; permissions are checked when a person asks. Fields that are marked
 * `writeOnly`, and personal ones, are announced in the metadata, so that they are hidden. `this` of handlers, methods, hooks and
 * events has what the mixins add, typed: `this.projection("nights")` takes no name but that of a projection that is mixed in.
 */
export function defineService<
  A extends Record<string, ActionShape>,
  const M extends readonly Partial<ServiceSchema>[] = [],
>(
  contract: Contract<string, any, any, any, A, any, any, any>,
  definition: Rest<M> & ThisType<This<M>> & ({} extends A ? { actions?: Handlers<A> } : { actions: Handlers<A> }),
): ServiceSchema {
  const actions: NonNullable<ServiceSchema["actions"]> = {};
  for (const [name, action] of Object.entries((definition.actions ?? {}) as Record<string, any>))
    actions[name] = {
      visibility: "public",
      ...(typeof action === "function" ? { handler: action } : action),
      params: paramsOf(contract.actions[name]!.params),
      ...permissionOf(contract, name),
      ...callersOf(contract, name),
      ...returnsOf(contract, name),
      ...errorsOf(contract, name),
    };
  const secrets = secretsOf(contract);
  const personal = personalFieldsOf(contract);
  const metadata = {
    ...definition.metadata,
    ...(secrets.length > 0 && { secrets }),
    ...(personal.length > 0 && { personal }),
  };
  return { ...(definition as object), name: contract.service, metadata, actions } as ServiceSchema;
}

/** An action's params as Moleculer wants them: plain JSON Schema, unknown keys refused. It survives mixin merging. */
export const paramsOf = (properties: TProperties): Record<string, any> => strictObject(properties);

/** The permission that the contract asks for, as the action option that the authorization middleware reads. */
export function permissionOf(contract: AnyContract, action: string): { permission?: Permission | false } {
  const permission = (contract.permissions as Record<string, Permission | false | undefined>)[action];
  return permission === undefined ? {} : { permission };
}

/**
 * The services that the contract lets use an action on nobody's behalf, as the action option that the identity middleware
 * reads. None where the contract does not say.
 */
export function callersOf(contract: AnyContract, action: string): { callers?: readonly string[] } {
  const { callers, permissions, commands, actions } = contract;
  const isOwn = action in commands || action in actions;
  const isOpen = !(action in permissions) && (isOwn || !RECORD.includes(action));
  if (callers === undefined || isOpen) return {};
  const named = Object.entries(callers).filter(([, used]) => (used as readonly string[]).includes(action));
  // Any service may have consumers.
  if (named.length === 0 && action === "readLog") return {};
  return { callers: named.map(([service]) => service) };
}
const RECORD: readonly string[] = ["get", "history", "stateAt", "abandon", "readLog"] satisfies RecordAction[];

/** The answer of an action or command, as JSON Schema. It travels in the registry, for the API's description. */
export function returnsOf(contract: AnyContract, action: string): { returns?: TSchema } {
  const declared = (contract.actions as Record<string, ActionShape | undefined>)[action];
  if (declared) return { returns: declared.returns };
  if (!(action in contract.commands)) return {};
  const reply = (contract.replies as Record<string, TProperties | undefined>)[action];
  return { returns: Type.Object({ id: Type.String(), version: Type.Integer(), ...reply }) };
}
