// The page of the configuration: tables of all declared variables between two marks; people write the text around them.
import type { Declared, Variable } from "../kernel/index.ts";
import { markdownTable, withGenerated } from "./marked.ts";

/** The page with its tables written anew. Text between the marks is replaced, text outside of them stays. */
export const configurationPage = (page: string, declared: Declared): string =>
  withGenerated(page, "Configuration", tables(declared));

function tables(declared: Declared): string {
  const said = new Set<string>();
  const sections = declared.declarations.map(({ title, variables }) => {
    const own = Object.entries(variables).filter(([name]) => !said.has(name));
    for (const [name] of own) said.add(name);
    return `## ${title}\n\n${table(own)}`;
  });
  return [...sections, failpoints(declared)].join("\n\n");
}

const table = (variables: readonly [string, Variable][]): string =>
  markdownTable(
    ["variable", "value", "default", ""],
    variables.map(([name, { form, defaultSays, says }]) => [`\`${name}\``, form, defaultSays, says]),
  );

const failpoints = ({ failpoints: names }: Declared): string =>
  `## Failpoints\n\nInstants that \`FAILPOINTS\` may name:\n\n${names.map(name => `- \`${name}\``).join("\n")}`;
