// Params that are JSON Schema (ours) go through Ajv; everything else (moleculer-db, moleculer-web, $node) stays with
// Moleculer's fastest-validator.
import { Validators, type ActionSchema, type ServiceBroker } from "moleculer";
import { compileParams } from "../contract/index.ts";

const isJsonSchema = (schema: Record<string, any>): boolean =>
  schema["type"] === "object" && typeof schema["properties"] === "object";

export class Validator extends Validators.Fastest {
  /** The action whose params are being compiled: the error about a schema that does not compile names it. */
  #action: string | undefined;
  constructor() {
    super({}); // its type demands options
  }
  override middleware(broker: ServiceBroker): any {
    const moleculers = super.middleware(broker);
    return {
      ...moleculers,
      localAction: (next: unknown, action: ActionSchema) => {
        this.#action = action.name;
        try {
          return moleculers.localAction(next, action);
        } finally {
          this.#action = undefined;
        }
      },
    };
  }
  override compile(schema: Record<string, any>): any {
    if (!isJsonSchema(schema)) return super.compile(schema);
    return compileParams(schema, this.#action === undefined ? "params" : `${this.#action}: params`);
  }
}
