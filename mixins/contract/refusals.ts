// What a contract says of its refusals: by name for code that throws them, as plain data for whoever describes the API.
import { plainErrors, type AnyErrors, type Errors, type Refusal, type RefusalDefinition } from "../kernel/index.ts";
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

/** An error of the API as its description has it. It travels in the registry. */
export interface DescribedRefusal {
  readonly status: number;
  /** Status where the client named in the body what is not there. */
  readonly inBody?: number;
  readonly says: string;
}

/**
 * What an action or command may refuse with, as the action option that the API's description reads. Those of the contract
 * that it names for the action, or all of them; and `others`, which the floor below may throw.
 */
export function refusalsOf(
  { refusals, mayRefuse }: AnyContract,
  action: string,
  others: AnyErrors = {},
): { refusals?: Readonly<Record<string, DescribedRefusal>> } {
  const named = (mayRefuse as Record<string, readonly string[] | undefined>)[action] ?? Object.keys(refusals);
  const all = { ...Object.fromEntries(named.map(code => [code, (refusals as AnyErrors)[code]!])), ...others };
  return { refusals: describeErrors(all) };
}

/** Errors as plain data, by code. */
export const describeErrors = (errors: AnyErrors): Record<string, DescribedRefusal> =>
  Object.fromEntries(
    Object.entries(errors).map(([code, { definition }]) => {
      const { status, says } = definition;
      return [code, { status, says, ...("inBody" in definition && { inBody: definition.inBody }) }];
    }),
  );
