// Runs every measurement, one after another, each in a process of its own: the garbage of one must not pause another.
//
//   npm run bench                    all of them, more than an hour
//   npm run bench -- --quick         short runs, for a look
//   npm run bench -- commands replay only these
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** Options of a short run, by suite. Those that measure the shop lie in `shop/`. */
const SUITES: Record<string, string[]> = {
  "shop/micro": [],
  "event-store": [],
  commands: ["--events", "100000", "--seconds", "5", "--runs", "1"],
  postgres: ["--events", "100000", "--streams", "10000", "--seconds", "3", "--runs", "1"],
  "shop/replay": ["--orders", "10000", "--runs", "1"],
  audit: ["--events", "10000", "--runs", "1"],
  "shop/orders": ["--seconds", "15"],
  "shop/observability": ["--rounds", "1", "--seconds", "3", "--commandRounds", "5", "--requests", "20000"],
  "shop/gateway": ["--quick", "--seconds", "2", "--runs", "1", "--warm-up", "1"],
  "shop/footprint": ["--orders", "200"],
  carriers: ["--events", "100000", "--seconds", "4"],
  "shop/cache-layers": ["--views", "4000", "--products", "1000", "--changes", "5"],
  "shop/nodes": ["--seconds", "10", "--warm-up", "15"],
  cluster: ["--seconds", "3", "--runs", "1", "--kills", "3"],
};

const NAMES = Object.keys(SUITES).map(suite => suite.split("/").at(-1)!);
const args = process.argv.slice(2);
if (args.includes("--help")) {
  console.log(`npm run bench -- [--quick] [${NAMES.join("|")} …]`);
  process.exit(0);
}
const given = args.filter(arg => !arg.startsWith("--"));
const named = given.flatMap(name => Object.keys(SUITES).find(suite => suite.split("/").at(-1) === name) ?? []);
if (named.length < given.length) {
  console.error(`there is no suite of this name; there are ${NAMES.join(", ")}`);
  process.exit(1);
}
for (const name of named.length > 0 ? named : Object.keys(SUITES)) {
  console.log(`\n== ${name}`);
  const file = fileURLToPath(new URL(`${name}.ts`, import.meta.url));
  const quick = args.includes("--quick") ? SUITES[name]! : [];
  const [code] = await once(spawn(process.execPath, [file, ...quick], { stdio: "inherit" }), "exit");
  if (code !== 0) process.exitCode = 1;
}
