// A subclass does not survive Moleculer's wire: it arrives as a plain Error with name, code, type, data. This restores
// ours, so that `instanceof Refusal` holds on both sides.
import { Errors } from "moleculer";
import { Bug, Refusal, Unavailable } from "../mixins/kernel/index.ts";

const FAMILIES: Record<string, { prototype: object }> = { Refusal, Unavailable, Bug };

export class Regenerator extends Errors.Regenerator {
  override restoreCustomError(plain: Errors.PlainMoleculerError): any {
    const family = FAMILIES[plain.name];
    if (!family) return undefined;
    const describe = ([key, value]: [string, unknown]) =>
      [key, { value, enumerable: true, writable: true, configurable: true }] as const;
    return Object.create(family.prototype, Object.fromEntries(Object.entries(plain).map(describe)));
  }
}
