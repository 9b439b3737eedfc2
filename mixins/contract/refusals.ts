// A contract's errors: by name for the code that throws them, as plain data for the API's description.
import {
  plainErrors,
  type AnyErrors,
  type Errors,
  type Refusal,
  type RefusalDefinition,
  type UnavailableDefinition,
} from "../kernel/index.ts";
import type { AnyContract } from "./contract.ts";

/** How a contract may list its refusals: the codes alone, or a catalogue made by `defineErrors`. */
export type ListedRefusals = readonly string[] | AnyErrors;
/** The catalogue of a list: of codes alone one with 404 for those that end in `_NOT_FOUND`, else 409. */
export type CatalogueOf<R extends ListedRefusals> = R extends readonly (infer C extends string)[]
  ? Errors<Record<C, RefusalDefinition>>
  : R extends AnyErrors
    ? R
    : never;

export const catalogueOf = <R extends ListedRefusals>(listed: R): CatalogueOf<R> =>
  (Array.isArray(listed) ? plainErrors(listed) : listed) as CatalogueOf<R>;

/** Codes that a contract's decisions may refuse with. */
export type RefusalOf<K extends AnyContract> = {
  [C in keyof K["refusals"] & string]: K["refusals"][C]["status"] extends 500 | 503 | 504 ? never : C;
}[keyof K["refusals"] & string];

/** `refuse("NOT_ENOUGH_POINTS", { field: "points" })`: the contract's error of this code, to be thrown. */
export type Refuse<K extends AnyContract> = <C extends RefusalOf<K>>(
  this: void,
  code: C,
  ...detail: Parameters<K["refusals"][C]>
) => Refusal;

/** Errors of an operation by code, as the API's description has them. Plain data: they travel in the registry. */
export type DescribedErrors = Readonly<Record<string, DescribedError>>;
export type DescribedError = Pick<RefusalDefinition, "inBody"> &
  Pick<UnavailableDefinition, "unknown"> & { readonly status: number; readonly says: string };

/**
 * The errors with which an action or command may refuse, as the action option that the API's description reads: the
 * contract's errors that it names for the action, or all of them; and `others`, which the runtime may throw. Nothing for
 * an action that is between services only.
 */
export function errorsOf(
  { refusals, mayRefuse, permissions }: AnyContract,
  action: string,
  others: AnyErrors = {},
): { errors?: DescribedErrors } {
  const own = refusals as AnyErrors;
  // An action that no person may call is in no description, and every node announces its actions to all others.
  if ((permissions as Record<string, unknown>)[action] === false) return {};
  const codes = (mayRefuse as Record<string, readonly string[] | undefined>)[action] ?? Object.keys(own);
  return { errors: describeErrors({ ...Object.fromEntries(codes.map(code => [code, own[code]!])), ...others }) };
}

/** Errors as plain data, without the fields for the documentation alone. */
export const describeErrors = (errors: AnyErrors): DescribedErrors =>
  Object.fromEntries(
    Object.entries(errors).map(([code, { definition }]) => {
      const { status, says } = definition;
      const inBody = "inBody" in definition && { inBody: definition.inBody };
      const unknown = "unknown" in definition && { unknown: definition.unknown };
      return [code, { status, says, ...inBody, ...unknown }];
    }),
  );
