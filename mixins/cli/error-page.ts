// The page of errors, written from the catalogues: the runtime's, and those of the services of a folder. The comment that opens
// a catalogue's file introduces its part of the page.
import type { Catalogue } from "../gateway/problems/catalogues.ts";
import type { ErrorDefinition, ErrorFactory } from "../kernel/index.ts";

const INTRODUCTION = `# Errors

<!-- Written by \`npx valence docs\` from the catalogues, \`errors.ts\` of each floor and service. Change those. -->

For those who got an error: what does its code mean, and what can be done?

Over HTTP an error is \`application/problem+json\` (RFC 9457). Its \`type\` is \`/problems/\` and the code below in lower case
with dashes (\`/problems/validation-error\`); \`detail\` says what is below, or more; \`errors[]\` names the fields; some errors add a
member of their own; \`requestId\` finds the log. Between services the same code is \`error.type\`: match on it, not on the
message. \`/openapi.json\` lists the errors of each operation. A browser that opens the \`type\` on the gateway's address reads the
same as a page.

There are three families. A **refusal** (4xx) is the domain's no: repeating it gives the same answer. **Unavailable**
(429, 503, 504) is not now: wait for \`Retry-After\`, then repeat; after a 504 only with the same \`Idempotency-Key\`, since the
first attempt may have taken effect. A call that was repeated answers 504 too where an attempt before may have. A **bug** is
a 500: its \`type\` is \`/problems/internal\`, and what went wrong is in the log, by the code at the end of this page.
`;

/** The page, as Markdown. Pure: the same catalogues give the same text. */
export function errorPage(catalogues: readonly Catalogue[]): string {
  const isOfRequests = ({ owner, isRuntime }: Catalogue) => isRuntime && /^(gateway|http|contract)$/.test(owner);
  const parts: [string, Catalogue[]][] = [
    ["Requests and calls", catalogues.filter(isOfRequests)],
    ["Services", catalogues.filter(catalogue => !catalogue.isRuntime && !isOfRequests(catalogue))],
    ["The runtime", catalogues.filter(catalogue => catalogue.isRuntime && !isOfRequests(catalogue))],
  ];
  const bugs = catalogues.flatMap(catalogue => rowsOf(catalogue, isBug).map(row => [placeOf(catalogue), ...row]));
  return [
    INTRODUCTION,
    ...parts.flatMap(([title, some]) => [`## ${title}\n`, ...some.flatMap(sectionOf)]),
    "## Bugs\n",
    tableOf(
      ["thrown by", "code", "says", "what to do"],
      bugs.map(([place, code, , says, todo]) => [place!, code!, says!, todo!]),
    ),
  ].join("\n");
}

const isBug = ({ status }: ErrorDefinition): boolean => status === 500;

function sectionOf(catalogue: Catalogue): string[] {
  const rows = rowsOf(catalogue, definition => !isBug(definition));
  if (rows.length === 0) return [];
  const title = catalogue.owner === "" ? "Several services" : placeOf(catalogue);
  return [`### ${title}\n`, `${catalogue.about}\n`, tableOf(["code", "status", "says", "what to do"], rows)];
}

const placeOf = ({ owner }: Catalogue): string => owner || "several services";

function rowsOf({ errors }: Catalogue, isWanted: (definition: ErrorDefinition) => boolean): string[][] {
  return Object.values(errors)
    .filter(({ definition }) => isWanted(definition))
    .map(({ code, definition }: Pick<ErrorFactory, "code" | "definition">) => [
      `\`${code}\``,
      statusOf(definition),
      plain(definition.says.replaceAll(/\{(\w+)\}/g, "*$1*")),
      plain(definition.todo),
    ]);
}

const statusOf = (definition: ErrorDefinition): string => {
  if ("inBody" in definition) return `${definition.status}; ${definition.inBody} of what a body names`;
  return "unknown" in definition ? `${definition.status}, ${definition.unknown}` : String(definition.status);
};

/** Escapes text for Markdown: outside of code, `<` would begin a tag. */
const plain = (text: string): string =>
  text
    .replaceAll("|", "\\|")
    .split("`")
    .map((part, i) => (i % 2 === 0 ? part.replaceAll("<", "&lt;") : part))
    .join("`");

const tableOf = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => "---"), ...rows].map(cells => `| ${cells.join(" | ")} |`).join("\n") + "\n";
