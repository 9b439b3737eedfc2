// `valence new service`: a service in the project's services folder, from the templates.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { UsageError } from "./command.ts";
import { namesOf, type Names } from "./generate/names.ts";
import { filesOf, formatter, rendered, write, type Files } from "./generate/template.ts";
import { enterProject } from "./project.ts";

export const SERVICE_HELP = `Makes a service in the services folder: contract, code, tests, README.

  npx valence new service bookings                 an event-sourced actor, the default
  npx valence new service bookings --actor --saga  … and a saga that its first event starts
  npx valence new service bookings --projection    … and a read model of its events
  npx valence new service bookings --reactor       … and a reactor that calls an action after an event
  npx valence new service rooms --crud             a plain table instead of an actor

  --route            HTTP routes of it, in services/api/routes
  --singular NAME    the actor's name; default: the service's in the singular
  --dry-run          only says which files it would write

Nothing is overwritten. The files are formatted if the project has prettier.`;

const KINDS = ["actor", "saga", "projection", "reactor", "crud"] as const;
export type Kind = (typeof KINDS)[number];

/** The names in the templates. */
export const THINGS: Names = { plural: "things", singular: "thing" };
const RECORDS: Names = { plural: "records", singular: "record" };

export async function newService(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      actor: { type: "boolean", default: false },
      saga: { type: "boolean", default: false },
      projection: { type: "boolean", default: false },
      reactor: { type: "boolean", default: false },
      crud: { type: "boolean", default: false },
      route: { type: "boolean", default: false },
      singular: { type: "string" },
      "dry-run": { type: "boolean", default: false },
    },
  });
  const [name, ...more] = positionals;
  if (name === undefined || more.length > 0) throw new UsageError(`name one service\n\n${SERVICE_HELP}`);
  const kinds = new Set<Kind>(KINDS.filter(kind => values[kind]));
  if (kinds.has("crud") && kinds.size > 1)
    throw new UsageError("a plain table has no events: --crud stands alone; make a second service for the rest");
  const names = namesOf(name, values.singular);
  enterProject();
  const folder = process.env["SERVICEDIR"] || "services";
  if (values.route && !existsSync(join(folder, "api/routes/index.ts")))
    throw new UsageError(`${folder}/api/routes/index.ts is not there: --route adds the routes to it`);
  const files = serviceFiles(folder, names, kinds, values.route);
  if (values["dry-run"]) return console.log([...files.keys()].join("\n"));
  await write(".", files);
  for (const path of files.keys()) console.log(`wrote ${path}`);
  if (values.route) await addRoutes(folder, names);
  console.log(nextSteps(folder, names, kinds, values.route));
}

/** The files of a service by path; an actor unless it is a plain table. */
export function serviceFiles(folder: string, names: Names, kinds: ReadonlySet<Kind>, isRouted: boolean): Files {
  const from = kinds.has("crud") ? RECORDS : THINGS;
  const files: Files = new Map();
  for (const [path, text] of filesOf(join("app/services", from.plural))) {
    // `thing-approval.saga.test.ts` belongs to the saga.
    const [, kind] = /\.(saga|projection|reactor)\./.exec(path) ?? [];
    if (kind === undefined || kinds.has(kind as Kind))
      files.set(join(folder, names.plural, renamedPath(path, from, names)), rendered(path, text, kinds, from, names));
  }
  const routes = `${from.plural}.ts`;
  const text = filesOf("app/services/api/routes").get(routes)!;
  if (isRouted) files.set(join(folder, "api/routes", `${names.plural}.ts`), rendered(routes, text, kinds, from, names));
  return files;
}

const renamedPath = (path: string, from: Names, to: Names): string =>
  path.replaceAll(from.plural, to.plural).replaceAll(from.singular, to.singular);

/** Adds the routes to the gateway's list. If the list does not look like the generated one, says what to add. */
async function addRoutes(folder: string, { plural }: Names): Promise<void> {
  const file = join(folder, "api/routes/index.ts");
  const name = plural.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
  const line = `import { ${name} } from "./${plural}.ts";`;
  const text = readFileSync(file, "utf8");
  const list = /(export const routes[^=]*= \[)([^\]]*?)(,?\s*\])/.exec(text);
  if (!list) {
    console.log(`add to ${file}: ${line} and ...${name}`);
    return;
  }
  const added = text.replace(list[0], () => `${list[1]}${list[2]}, ...${name}${list[3]}`);
  const imports = [...added.matchAll(/^import .*;$/gm)];
  const last = imports.at(-1);
  const at = last === undefined ? 0 : last.index + last[0].length;
  const whole = `${added.slice(0, at)}${at === 0 ? "" : "\n"}${line}${at === 0 ? "\n" : ""}${added.slice(at)}`;
  writeFileSync(file, await (await formatter("."))(file, whole));
  console.log(`added the routes to ${file}`);
}

const nextSteps = (folder: string, { plural }: Names, kinds: ReadonlySet<Kind>, isRouted: boolean): string => {
  const create = kinds.has("crud")
    ? `call ${plural}.create '{"name":"the first"}'`
    : `call ${plural}.open '{"id":"1","title":"the first","owner":"ada"}'`;
  return `
Next:
  npm test -- ${folder}/${plural}    its tests
  npx valence repl${" ".repeat(Math.max(1, folder.length + plural.length - 2))}then: ${create}${isRouted ? `\n  npm start, log in, and POST /api/v1/${plural}` : ""}`;
};
