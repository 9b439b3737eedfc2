// The form of the log. Its level is LOGLEVEL (kernel/node-environment.ts), which every process has.
import { defineEnvironment, oneOf } from "../kernel/index.ts";

export const logEnvironment = defineEnvironment("The log", {
  LOG_FORMAT: oneOf(["json", "pretty"], {
    defaultSays: "`json` where `NODE_ENV` is `production`, else `pretty`",
    says: "one JSON object a line, for programs; or text, for people: [the log](logs.md)",
  }),
});
