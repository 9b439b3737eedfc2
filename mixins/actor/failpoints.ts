import { defineFailpoints } from "../kernel/index.ts";

export const failpoint = defineFailpoints(
  "actor:before-reply",
  "timer:before-fire",
  "timer:after-fire",
  "snapshot:before-save",
);
