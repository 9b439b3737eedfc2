import { defineFailpoints } from "../kernel/index.ts";

export const failpoint = defineFailpoints(
  "consumer:before-commit",
  "consumer:after-commit",
  "reactor:after-call",
  "webhook:after-send",
  "ingress:after-calls",
  "relay:after-publish",
);
