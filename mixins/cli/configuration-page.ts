// The page of the configuration: tables of all declared variables between two marks; people write the text around them.
import type { Declared, Variable } from "../kernel/index.ts";

const [BEGIN, END] = ["<!-- generated: npx valence docs -->", "<!-- end of the generated part -->"];
const NEW_PAGE = `# Configuration\n\n${BEGIN}\n${END}\n`;

/** The page with its tables written anew. Text between the marks is replaced, text outside of them stays. */
export function configurationPage(page: string, declared: Declared): string {
  const whole = page.includes(BEGIN) && page.includes(END) ? page : NEW_PAGE;
  const [before] = whole.split(BEGIN);
  const after = whole.slice(whole.indexOf(END));
  return `${before}${BEGIN}\n\n${tables(declared)}\n\n${after}`;
}

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
  [
    "| variable | value | default | |",
    "| --- | --- | --- | --- |",
    ...variables.map(
      ([name, { form, defaultSays, says }]) => `| ${[`\`${name}\``, form, defaultSays, says].map(cell).join(" | ")} |`,
    ),
  ].join("\n");

/** A bar would end the cell, also within a code span. */
const cell = (text: string): string => text.replaceAll("|", "\\|");

const failpoints = ({ failpoints: names }: Declared): string =>
  `## Failpoints\n\nInstants that \`FAILPOINTS\` may name:\n\n${names.map(name => `- \`${name}\``).join("\n")}`;
