// Pages of which a part is generated, between two marks; people write the text around it.
const [BEGIN, END] = ["<!-- generated: npx valence docs -->", "<!-- end of the generated part -->"];

/** The page with its generated part written anew. A page without marks is replaced by one of this title. */
export function withGenerated(page: string, title: string, generated: string): string {
  const whole = page.includes(BEGIN) && page.includes(END) ? page : `# ${title}\n\n${BEGIN}\n${END}\n`;
  const [before] = whole.split(BEGIN);
  const after = whole.slice(whole.indexOf(END));
  return `${before}${BEGIN}\n\n${generated}\n\n${after}`;
}

/** A table in Markdown. A bar would end its cell, also within a code span. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const [names, ...lines] = [head, head.map(() => "---"), ...rows].map(
    cells => `| ${cells.map(cell => cell.replaceAll("|", "\\|")).join(" | ")} |`,
  );
  return [names!.replaceAll("|  |", "| |"), ...lines].join("\n");
}
