// Writes a mail twice, as plain text and as HTML, from the same parts.

export interface MailText {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

/** A paragraph; a link with its label; a text for programs, alone on its line; or rows of a table, as label and text. */
export type Part =
  | string
  | { readonly link: string; readonly label: string }
  | { readonly token: string }
  | { readonly rows: readonly (readonly [label: string, text: string])[] };

/**
 * Lines of plain text, and the same as HTML without pictures and scripts: every program of mail shows it. Markup in a
 * part stays text. Default greeting: `Hello,`.
 */
export function letter(subject: string, parts: readonly Part[], greeting = "Hello,"): MailText {
  return {
    subject,
    text: `${[greeting, ...parts].map(plainOf).join("\n\n")}\n`,
    html: `<!doctype html>\n<html lang="en">\n<body>\n${[greeting, ...parts].map(htmlOf).join("\n")}\n</body>\n</html>\n`,
  };
}

function plainOf(part: Part): string {
  if (typeof part === "string") return wrapped(part);
  if ("link" in part) return `${part.label}:\n${part.link}`;
  if ("token" in part) return part.token;
  return part.rows.map(([label, text]) => `${label}: ${text}`).join("\n");
}

function htmlOf(part: Part): string {
  if (typeof part === "string") return `<p>${escapeHtml(part)}</p>`;
  if ("link" in part) return `<p><a href="${escapeHtml(part.link)}">${escapeHtml(part.label)}</a></p>`;
  if ("token" in part) return `<p><code>${escapeHtml(part.token)}</code></p>`;
  const rows = part.rows.map(cells => `<tr>${cells.map(cell => `<td>${escapeHtml(cell)}</td>`).join("")}</tr>`);
  return `<table>\n${rows.join("\n")}\n</table>`;
}

/** Lines of at most 72 characters, as plain mails have them: longer ones would be encoded, and hard to read in a file. */
const wrapped = (text: string): string => text.replaceAll(/(?=\S)(.{1,72})(?:\s+|$)/g, "$1\n").trimEnd();

export const escapeHtml = (text: string): string =>
  text.replaceAll(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`);
