// `valence repl`: a start whose process answers commands.
import type { Command } from "./command.ts";
import { command as start } from "./start.ts";

export const command: Command = {
  help: `Starts the services of this project in one process, with Moleculer's REPL: call, actions, services, nodes, info…

  npx valence repl

Options are those of npx valence start, but for --workers: the REPL speaks to one process.`,
  run: args => start.run([...args, "--repl"]),
};
