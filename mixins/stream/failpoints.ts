import { defineFailpoints } from "../kernel/index.ts";

export const failpoint = defineFailpoints(
  "consumer:before-commit",
  "consumer:after-commit",
  "reactor:after-call",
  "ingress:after-calls",
);
