// `npm start`: checks what would otherwise fail far from its cause, then hands over to the stock moleculer-runner, whose
// flags (--repl, --instances …) and environment names (SERVICES, SERVICEDIR, NODEID …) stay as they are.
// JavaScript, not TypeScript: on a Node that cannot strip types this file still has to be able to say so.
import module from "node:module";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

const NODE_MAJOR_MIN = 24;

function stop(message) {
  console.error(message);
  process.exit(1);
}

if (Number.parseInt(process.versions.node, 10) < NODE_MAJOR_MIN)
  stop(
    `Node ${process.versions.node} is too old, ${NODE_MAJOR_MIN} is needed: \`npm ci\` brings it, \`npm start\` uses it. ` +
      "(If npm was told to skip install scripts: npm rebuild node)",
  );

// A quarter of a second sooner at every start but the first.
module.enableCompileCache();

process.chdir(join(import.meta.dirname, ".."));
const folder = process.env.SERVICEDIR || "services";
const { EnvironmentError, readEnvironment } = await import("../mixins/kernel/index.ts");
try {
  const { services } = readEnvironment();
  const known = serviceFolders(folder);
  const unknown = services?.find(name => !known.includes(name));
  if (unknown !== undefined) throw new EnvironmentError("SERVICES", unknown, `some of ${known.join(",")}`);
} catch (error) {
  if (!(error instanceof EnvironmentError)) throw error;
  stop(error.message);
}

// The runner looks SERVICES up under SERVICEDIR, by default the working folder, where it would find nothing and start
// an empty broker; and with SERVICEDIR alone it reads a path argument as one below it. So it gets one of the two.
const paths = process.env.SERVICES ? [] : [folder];
if (process.env.SERVICES) process.env.SERVICEDIR = folder;
else delete process.env.SERVICEDIR;

const flags = ["--config", "moleculer.config.ts", "--mask", "**/*.service.ts"];
process.argv.splice(2, 0, ...flags, ...paths);
await import("../node_modules/moleculer/bin/moleculer-runner.mjs");

/** Names of the folders that hold a service. */
function serviceFolders(root) {
  if (!existsSync(root)) throw new EnvironmentError("SERVICEDIR", root, "a folder of services");
  const files = readdirSync(root, { recursive: true })
    .toSorted()
    .filter(file => file.endsWith(".service.ts"));
  return [...new Set(files.map(file => file.split(/[\\/]/)[0]))];
}
