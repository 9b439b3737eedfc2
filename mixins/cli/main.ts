// `npx valence`: one command with subcommands. Each is loaded when it is called.
import { nearestName } from "../kernel/index.ts";
import { runCommand, type Command } from "./command.ts";
import { version } from "../kernel/index.ts";

interface Entry {
  /** One line for the list of commands. */
  readonly summary: string;
  readonly load: () => Promise<{ readonly command: Command }>;
}

const COMMANDS: Readonly<Record<string, Entry>> = {
  start: { summary: "starts the services of this project", load: () => import("./start.ts") },
  repl: { summary: "joins running services with a REPL, or starts them with one", load: () => import("./repl.ts") },
  ops: { summary: "looks at running services and acts on them, for scripts", load: () => import("./ops.ts") },
  test: { summary: "runs the tests of this project", load: () => import("./test.ts") },
  new: { summary: "makes a service in this project, or a project", load: () => import("./new.ts") },
  migrate: {
    summary: "makes the tables of all services, or brings them up to date",
    load: () => import("./migrate.ts"),
  },
  doctor: { summary: "checks the databases and reports what is wrong", load: () => import("./doctor.ts") },
  smoke: { summary: "tries a running system from outside, after a roll-out", load: () => import("./smoke.ts") },
  freeze: { summary: "writes the golden samples that services lack", load: () => import("./freeze.ts") },
  events: {
    summary: "lists the durable events, and checks them against their released shapes",
    load: () => import("./events.ts"),
  },
  reset: { summary: "removes the embedded databases", load: () => import("./reset.ts") },
  reshard: { summary: "spreads a service's event store over more databases", load: () => import("./reshard.ts") },
  consumer: { summary: "moves consumers that stand still after a restore", load: () => import("./consumer.ts") },
  audit: { summary: "verifies and exports the record of every event", load: () => import("./audit.ts") },
  backup: { summary: "copies the databases of all services at one moment", load: () => import("./backup.ts") },
  restore: { summary: "puts the databases of a backup in their places", load: () => import("./restore.ts") },
  "accept-copy": {
    summary: "accepts a SQLite file that was copied without its write-ahead log",
    load: () => import("./accept-copy.ts"),
  },
  "cluster-keys": {
    summary: "makes the keys by which the nodes of a cluster know each other",
    load: () => import("./cluster-keys.ts"),
  },
  "nats-conf": {
    summary: "writes the users of the NATS server, one a role",
    load: () => import("./nats-conf.ts"),
  },
  docs: {
    summary: "writes the generated pages in docs from the declarations",
    load: () => import("./docs.ts"),
  },
};

const HELP = `Event-sourced virtual actors on Moleculer brokers.

  npx valence <command> [options]

${Object.entries(COMMANDS)
  .map(([name, { summary }]) => `  ${name.padEnd(15)}${summary}`)
  .join("\n")}

  npx valence <command> --help    what the command does, and its options
  npx valence --version           version of the runtime`;

/** Runs the command that the arguments name. An unknown one is exit code 2, with the nearest name. */
export async function main(args: string[]): Promise<void> {
  const [name, ...rest] = args;
  if (name === "--version" || name === "-v" || name === "version") return console.log(version());
  if (name === undefined || name === "--help" || name === "-h") return console.log(HELP);
  if (name === "help") return rest.length === 0 ? console.log(HELP) : main([rest[0]!, "--help"]);
  const entry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!entry) {
    const near = nearestName(name, Object.keys(COMMANDS));
    console.error(`valence has no command "${name}"${near ? `; did you mean ${near}?` : ""}\n\n${HELP}`);
    process.exitCode = 2;
    return;
  }
  const { command } = await entry.load();
  await runCommand(name, command, rest);
}
