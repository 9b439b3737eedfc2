// Whether this process counts, and who may read its metrics.
import { defineEnvironment, oneOf, secret } from "../kernel/index.ts";

export const metricsEnvironment = defineEnvironment("Metrics", {
  METRICS: oneOf(["on", "off"], {
    default: "on",
    says: "`off` counts nothing, and there is no `/metrics`: [metrics](metrics.md)",
  }),
  METRICS_TOKEN: secret({
    pattern: /^[\w.~+/-]{16,200}=*$/,
    expected: "16 to 200 characters as a bearer token has them",
    says: "a bearer token that may read `/metrics` on `PORT` and on `HEALTH_PORT`; without it only administrators may, by the gateway",
  }),
});
