// Restores our error classes after Moleculer's wire, which turns a subclass into a plain Error with name, code, type
// and data: with this `instanceof Refusal` holds on both sides. An action may throw any value: one that cannot be read
// or written as JSON would end the process that answers, and its caller would wait for its time-out.
import { Errors } from "moleculer";
import { asError, Bug, Refusal, Unavailable } from "../kernel/index.ts";

const FAMILIES: Record<string, { prototype: object }> = { Refusal, Unavailable, Bug };

export class Regenerator extends Errors.Regenerator {
  override extractPlainError(thrown: unknown, payload?: Record<string, any>): Errors.PlainMoleculerError {
    const plain = super.extractPlainError(asError(thrown), payload);
    return isJson(plain.data) ? plain : { ...plain, data: undefined };
  }

  override restoreCustomError(plain: Errors.PlainMoleculerError): any {
    const family = FAMILIES[plain.name];
    if (!family) return undefined;
    const describe = ([key, value]: [string, unknown]) =>
      [key, { value, enumerable: true, writable: true, configurable: true }] as const;
    return Object.create(family.prototype, Object.fromEntries(Object.entries(plain).map(describe)));
  }
}

function isJson(data: unknown): boolean {
  try {
    JSON.stringify(data);
    return true;
  } catch {
    return false;
  }
}
