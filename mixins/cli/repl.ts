// `valence repl`: a REPL on the services that run, or on those that it starts.
import type { ServiceBroker } from "moleculer";
import { BrokerLink } from "../operations/shell/broker-link.ts";
import type { Link } from "../operations/shell/link.ts";
import { runRepl } from "../operations/shell/repl.ts";
import { UsageError, type Command } from "./command.ts";
import { join, operatorName, TABLE } from "./joining.ts";
import { command as start } from "./start.ts";

export const command: Command = {
  help: `A REPL with the operations (help lists them) and Moleculer's commands: call, actions, services, events…

  npx valence repl                joins the services that run, or starts them in its process; it says which it did
  npx valence repl --read-only    joins with the rights to look, and with no others
  npx valence repl --start        starts them: options are those of npx valence start, but for --workers

It joins a process that runs on this machine with the same DATA_DIR by a socket there, which its user alone may open, and acts as
an administrator by the name of the operating system's user. Else, with NATS_URL, it joins the bus as a node of its own; where nodes
have keys it needs NODE_KEY, of a role such as operator, and OPERATOR_TOKEN, the access token of the person who acts. The services go
on when it ends, unless it has started them.`,
  run: main,
};

async function main(args: string[]): Promise<void> {
  const wantsStart = args.includes("--start");
  const others = args.filter(argument => argument !== "--start");
  const isJoining = !wantsStart && others.every(argument => argument === "--read-only");
  const readOnly = others.includes("--read-only");
  const link = isJoining ? await join({ readOnly }) : undefined;
  if (link) return runOn(link);
  if (readOnly) throw new UsageError("--read-only joins services that run, and there are none");
  await start.run([...others, "--repl"]);
}

/** Ends the process: a terminal that is still read would keep it. */
async function runOn(link: Link): Promise<void> {
  await runRepl(link, TABLE, { input: process.stdin, output: process.stdout, errors: process.stderr });
  process.exit(0);
}

/** The REPL of the process that runs these services: they stop with it. */
export function replOf(broker: ServiceBroker): Promise<void> {
  const id = `os:${operatorName()}`;
  const about = `started ${broker.nodeID} in this process; operations act as ${id}`;
  return runOn(new BrokerLink(broker, { about, actor: { user: { id, roles: ["admin"] as never } } }));
}
