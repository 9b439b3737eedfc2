// The form of the log. Its level is LOGLEVEL (kernel/node-environment.ts), which every process has.
import { defineEnvironment, oneOf, text } from "../kernel/index.ts";

export const logEnvironment = defineEnvironment("The log", {
  NODE_ENV: text({ defaultSays: "none", says: "`production`, as in the image, makes the log one for programs" }),
  LOG_FORMAT: oneOf(["json", "pretty"], {
    defaultSays: "`json` where `NODE_ENV` is `production`, else `pretty`",
    says: "one JSON object a line, for programs; or text, for people: [the log](logs.md)",
  }),
});
