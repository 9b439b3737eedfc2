// Params that are JSON Schema (ours) go through Ajv; everything else (moleculer-db, moleculer-web, $node) stays with
// Moleculer's fastest-validator.
import { Validators } from "moleculer";
import { compileParams } from "../contract/index.ts";

const isJsonSchema = (schema: Record<string, any>): boolean =>
  schema["type"] === "object" && typeof schema["properties"] === "object";

export class Validator extends Validators.Fastest {
  constructor() {
    super({}); // its type demands options
  }
  override compile(schema: Record<string, any>): any {
    return isJsonSchema(schema) ? compileParams(schema) : super.compile(schema);
  }
}
