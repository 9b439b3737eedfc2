import { defineFailpoints } from "../kernel/index.ts";

export const failpoint = defineFailpoints(
  "append:before-commit",
  "append:after-commit",
  "reshard:marked",
  "reshard:copied",
  "reshard:sealed",
  "reshard:completed",
  "reshard:verified",
  "reshard:owned",
  "reshard:moved",
);
