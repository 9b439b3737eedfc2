// The page of operations: all of them in a table between two marks; people write the text around it.
import { commandsOf } from "../operations/shell/commands.ts";
import type { Operation } from "../operations/table/operation.ts";
import { markdownTable, withGenerated } from "./marked.ts";

/** The page with its table written anew. Pure. */
export function operationsPage(page: string, table: readonly Operation[]): string {
  const rows = commandsOf(table).map(({ form, summary, operation, fixed }) => {
    const { http, permission, action } = operation;
    const query = Object.entries(fixed).map(([name, value]) => `${name}=${String(value)}`);
    const route = query.length > 0 ? `${http}?${query.join("&")}` : http;
    return [`\`${form}\``, summary, `\`${route}\``, `\`${action}\``, `\`${permission}\``];
  });
  rows.sort(([a], [b]) => (a! < b! ? -1 : 1));
  return withGenerated(page, "Operations", markdownTable(["command", "", "HTTP", "action", "permission"], rows));
}
