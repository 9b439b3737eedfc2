// The networks that webhooks may be in, besides the public internet.
import { defineEnvironment, EnvironmentError, list } from "../../kernel/index.ts";
import { Networks } from "./networks.ts";

const EXPECTED = "networks such as `127.0.0.0/8` or `fd00::/8`, commas between";

export const outboundEnvironment = defineEnvironment(
  "Webhooks",
  {
    WEBHOOK_NETWORKS: list({
      pattern: /^[\da-fA-F:.]+\/\d{1,3}$/,
      expected: EXPECTED,
      defaultSays: "none: webhooks are at public addresses, by https",
      says: "private networks in which webhooks may be as well, also by plain http: for development, or receivers in the same cluster",
    }),
  },
  ({ WEBHOOK_NETWORKS = [] }) => {
    try {
      void new Networks(WEBHOOK_NETWORKS);
    } catch {
      throw new EnvironmentError("WEBHOOK_NETWORKS", WEBHOOK_NETWORKS.join(), EXPECTED.replaceAll("`", ""));
    }
  },
);
