// `npm run docs:errors`: writes docs/errors.md from the catalogues.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { runCommand, UsageError } from "./command.ts";
import { cataloguesOf, errorPage } from "./error-page.ts";

const HELP = `Writes docs/errors.md: every error of the runtime and of the services in this folder, from their errors.ts.

  npm run docs:errors`;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { help: { type: "boolean", short: "h", default: false } },
  });
  if (values.help) return console.log(HELP);
  if (positionals.length > 0) throw new UsageError(HELP);
  const page = errorPage(await cataloguesOf(join(process.cwd(), process.env["SERVICEDIR"] ?? "services")));
  writeFileSync(join(process.cwd(), "docs", "errors.md"), page);
}

await runCommand("docs:errors", main);
