// The page of metrics: tables of all declared metrics between two marks; people write the text around them.
import { unitOf, type Declared, type MetricDefinition } from "../kernel/index.ts";

const [BEGIN, END] = ["<!-- generated: npx valence docs -->", "<!-- end of the generated part -->"];
const NEW_PAGE = `# Metrics\n\n${BEGIN}\n${END}\n`;

/** The page with its tables written anew. Text between the marks is replaced, text outside of them stays. */
export function metricPage(page: string, { metrics }: Declared): string {
  const whole = page.includes(BEGIN) && page.includes(END) ? page : NEW_PAGE;
  const [before] = whole.split(BEGIN);
  const after = whole.slice(whole.indexOf(END));
  const tables = metrics.map(({ title, metrics: own }) => `## ${title}\n\n${table(Object.values(own))}`);
  return `${before}${BEGIN}\n\n${tables.join("\n\n")}\n\n${after}`;
}

const table = (metrics: readonly MetricDefinition[]): string =>
  [
    "| metric | type | unit | labels | processes | |",
    "| --- | --- | --- | --- | --- | --- |",
    ...metrics.map(metric => `| ${cellsOf(metric).map(cell).join(" | ")} |`),
  ].join("\n");

function cellsOf(metric: MetricDefinition): string[] {
  const { name, type, labels = {}, over = "sum", help } = metric;
  const shown = Object.entries(labels).map(([label, values]) => `\`${label}\`: ${valuesOf(values)}`);
  return [`\`${name}\``, type, unitOf(metric) ?? "", shown.join("; "), over, help];
}

const valuesOf = (values: string | readonly string[]): string =>
  typeof values === "string" ? values : values.map(value => `\`${value}\``).join(", ");

/** A bar would end the cell, also within a code span. */
const cell = (text: string): string => text.replaceAll("|", "\\|");
