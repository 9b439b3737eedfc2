// The pages of errors, as HTML without scripts. Text of the declarations has code between backticks, and values between braces.
import type { Explained } from "./explained.ts";

export const STYLE_PATH = "/problems/style.css";

export const problemPage = (error: Explained): string =>
  page(
    error.code,
    `<p><a href="/problems">All errors</a></p>
<h1>${error.code}</h1>
<p class="says">${sentence(error.says)}</p>
<dl>
<dt>What to do</dt><dd>${sentence(error.todo)}</dd>
<dt>May the same request be sent again?</dt><dd>${marked(error.retry)}</dd>
<dt>Status</dt><dd>${error.statuses.join(" or ")}, ${error.title}</dd>
<dt>Type</dt><dd><code>${error.type}</code></dd>
<dt>Declared by</dt><dd>${error.owner ? `<code>${escaped(error.owner)}</code>` : "several services"}</dd>
</dl>
<p>The <code>detail</code> of an answer may say more, its <code>errors</code> name the fields, and its <code>requestId</code> finds it in the
log. <a href="/docs">The API's description</a> lists the errors of each operation.</p>`,
  );

export const problemList = (errors: Iterable<Explained>): string =>
  page(
    "Errors",
    `<h1>Errors</h1>
<p>Every <code>type</code> of a problem that this API answers, with its status and its meaning.</p>
<table>
<thead><tr><th scope="col">Error</th><th scope="col">Status</th><th scope="col">Meaning</th></tr></thead>
<tbody>
${Array.from(errors, rowOf).join("\n")}
</tbody>
</table>`,
  );

const rowOf = ({ type, code, statuses, says }: Explained): string =>
  `<tr><th scope="row"><a href="${type}">${code}</a></th><td>${statuses.join(", ")}</td><td>${marked(says)}</td></tr>`;

const page = (title: string, main: string): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<link rel="stylesheet" href="${STYLE_PATH}">
<main>
${main}
</main>
</html>
`;

/** A clause of a declaration as a sentence. */
function sentence(clause: string): string {
  const text = /^[a-z]/.test(clause) ? clause[0]!.toUpperCase() + clause.slice(1) : clause;
  return marked(/[.?!]$/.test(text) ? text : `${text}.`);
}

const marked = (text: string): string =>
  escaped(text)
    .split("`")
    .map((part, i) => (i % 2 === 0 ? part.replaceAll(/\{(\w+)\}/g, "<var>$1</var>") : `<code>${part}</code>`))
    .join("");

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");

export const STYLE = `:root { color-scheme: light dark; }
body { margin: 0; font: 1rem/1.5 system-ui, sans-serif; background: light-dark(#faf8f4, #141715); color: light-dark(#1b231f, #eceee9); }
main { max-width: 48rem; margin: 0 auto; padding: 2rem 1rem; overflow-wrap: anywhere; }
h1 { margin: 0.5rem 0; font-size: 1.75rem; line-height: 1.2; }
a { color: light-dark(#1d5e4c, #84cfb6); }
.says { font-size: 1.25rem; }
dl { padding: 1rem; border: 1px solid light-dark(#e4dfd4, #2f3632); border-radius: 0.625rem; background: light-dark(#fff, #1c201e); }
dt { font-weight: 600; }
dd { margin: 0 0 1rem; }
dd:last-child { margin: 0; }
code { font-family: ui-monospace, monospace; font-size: 0.9em; }
table { width: 100%; border-collapse: collapse; }
th, td { padding: 0.5rem 0.5rem 0.5rem 0; border-bottom: 1px solid light-dark(#e4dfd4, #2f3632); text-align: start; vertical-align: top; }
tbody th { font-weight: 400; }
`;
