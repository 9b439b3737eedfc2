// `valence test`: jest on the project's tests, and once more, alone, what failed (testing/jest/run.ts).
import type { Command } from "./command.ts";
import { enterProject } from "./project.ts";

export const command: Command = {
  help: `Runs the tests of this project, by what they need: x.test.ts nothing, x.int.test.ts a database (on SQLite and once more
on Postgres), others as their suffix says. Servers that are missing are installed and started.

  npx valence test                            all
  npx valence test services/bookings          those below a path
  npx valence test --only=unit                those that need nothing
  npx valence test -t "is opened once"        those of a name, and all other options of jest

A file that fails is run once more, alone, and named if it passes then.`,
  async run(args) {
    enterProject();
    process.argv.splice(2, Infinity, ...args);
    await import("../testing/jest/run.ts");
  },
};
