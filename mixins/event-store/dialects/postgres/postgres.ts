import type { PostgresLocation } from "../../../kernel/index.ts";
import type { Dialect } from "../../dialect.ts";

export async function openPostgres(_location: PostgresLocation): Promise<Dialect> {
  throw new Error("not yet");
}
