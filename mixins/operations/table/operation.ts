// An operation as people see it, written once: its command in the REPL and in `npx valence ops`, its route, and how its answer is
// shown. Params, types and permission are those of its action's contract, and are not repeated here.
import type { Static, TProperties, TSchema } from "typebox";
import type { ActionName, AnyContract, Permission } from "../../contract/index.ts";
import type { Route } from "../../gateway/index.ts";
import { readPattern, type Pattern } from "./pattern.ts";

/** How an answer is shown to a person; `--json` shows all of it. */
export type View =
  /**
   * The rows in a field of the answer, as a table with these fields of each. The other fields stand below it. `rows` makes
   * other rows of that field's.
   */
  | {
      readonly list: string;
      readonly columns: readonly string[];
      readonly rows?: (entries: readonly any[]) => readonly Readonly<Record<string, unknown>>[];
    }
  /** Fields one below the other; `tables` are those that hold rows, with the columns of each. */
  | { readonly tables?: Readonly<Record<string, readonly string[]>> };

/** How far something is that takes long. `total` is 0 while nobody knows it. */
export interface Progress {
  readonly done: number;
  readonly total: number;
  readonly isDone: boolean;
  /** Why it will not end by itself. */
  readonly trouble?: string;
}

/** What goes on after the answer: `action` is asked again until it is done. */
export interface Following {
  readonly action: ActionName;
  /** `begun`: the operation's answer. */
  readonly params: (params: Readonly<Record<string, unknown>>, begun: any) => object;
  /** Pure. `params` and `begun` are those of the operation, `answer` is the action's. */
  readonly progress: (answer: any, params: Readonly<Record<string, unknown>>, begun: any) => Progress;
}

/** Another command for the same action: `stuck` is `sagas --state stuck`. */
export interface Shortcut {
  readonly command: string;
  readonly summary: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly examples: readonly string[];
}

export interface OperationSpec {
  /** `saga <id> retry`, `actor <type> <id> --diff <from> <to>`: see `pattern.ts`. Other params of the action are options. */
  readonly command: string;
  /** One line, for all places. */
  readonly summary: string;
  /** Method and path below the API's prefix. Names in the path are params; the others come by query (GET) or body. */
  readonly http: string;
  readonly priority?: Route["priority"];
  readonly view: View;
  /** Whether no API key may do it, whatever its scopes: it gives access that outlives the key. */
  readonly isForPersons?: boolean;
  /** Whether the answer holds a secret: the gateway does not keep it for a repeat of its Idempotency-Key. */
  readonly secret?: boolean;
  /** Lines as an operator types them; at least one. */
  readonly examples: readonly string[];
  /** For what cannot be taken back: what will happen, before a person is asked whether it shall. */
  readonly asks?: string;
  readonly follow?: Following;
  /** Table of the view whose rows are asked for again and again, from the answer's `cursor` on, until the operator ends it. */
  readonly tails?: string;
  /**
   * Field of the answer that has lines of text. All pages are written, a line each, and over HTTP sent as NDJSON. The answer tells how
   * many `records` are in its page, and in all (`of`).
   */
  readonly lines?: string;
  /**
   * One hint, as clients of the stream get it, of an action that answers `{ hints }`: over HTTP those that change are sent while
   * somebody listens.
   */
  readonly hints?: TSchema;
  /** Whether an answer is bad news: `npx valence ops` then exits with 1. */
  readonly fails?: (answer: any) => boolean;
  /** Names of options that are not those of their params: `{ version: "at" }`. */
  readonly optionNames?: Readonly<Record<string, string>>;
  readonly shortcuts?: readonly Shortcut[];
}

export interface Operation extends OperationSpec {
  readonly action: ActionName;
  readonly permission: Permission;
  readonly params: TProperties;
  readonly returns: TSchema;
  readonly pattern: Pattern;
}

/**
 * The operations of a service, one for each action of its contract: an action that is left out does not compile. Throws
 * TypeError for an action without permission, and for a command or a path that names a param which the action does not have.
 */
export const operationsOf = <
  K extends AnyContract,
  const T extends { readonly [X in keyof K["actions"] & string]: OperationSpec },
>(
  contract: K,
  specs: T,
): readonly OperationsOf<K, T>[] =>
  Object.entries(specs as Record<string, OperationSpec>).map(([name, spec]) => {
    const { params, returns } = contract.actions[name] as { params: TProperties; returns: TSchema };
    const action = `${contract.service}.${name}` as ActionName;
    const permission = contract.permissions[name] as Permission | undefined;
    if (!permission) throw new TypeError(`${action} asks for no permission`);
    const pattern = readPattern(spec.command);
    const strange = [...namesIn(pattern), ...pathParamsOf(spec.http)].find(param => !Object.hasOwn(params, param));
    if (strange !== undefined) throw new TypeError(`${action} has no param ${strange}`);
    return { ...spec, action, permission, params, returns, pattern } as never;
  });

/** The operations of a contract, each with the types of its route. */
type OperationsOf<K extends AnyContract, T> = {
  [X in keyof T]: TypedOperation<{
    action: `${K["service"]}.${X & string}`;
    http: T[X] extends { readonly http: infer L extends string } ? L : string;
    rows: T[X] extends
      { readonly lines: infer F extends string } | { readonly view: { readonly list: infer F extends string } }
      ? F
      : never;
    event: T[X] extends { readonly hints: infer E extends TSchema } ? Static<E> & object : never;
  }>;
}[keyof T];
/** `types` is there for the compiler alone. */
export interface TypedOperation<T> extends Operation {
  readonly types?: T;
}

/** Params that a command takes by their place. */
export const namesIn = ({ places, flag }: Pattern): string[] => [
  ...places.flatMap(place => ("param" in place ? [place.param] : [])),
  ...(flag?.params ?? []).map(({ param }) => param),
];

/** `["type", "id"]` of `GET /ops/actors/:type/:id`. */
export const pathParamsOf = (http: string): string[] => [...http.matchAll(/:(\w+)/g)].map(([, name]) => name!);
