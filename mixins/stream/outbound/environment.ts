// The networks that webhooks may be in, besides the public internet.
import { defineEnvironment, list } from "../../kernel/index.ts";

export const outboundEnvironment = defineEnvironment("Webhooks", {
  WEBHOOK_NETWORKS: list({
    pattern: /^([\d.]{7,15}\/\d{1,2}|[\da-fA-F:.]{2,45}\/\d{1,3})$/,
    expected: "networks such as `127.0.0.0/8` or `fd00::/8`, commas between",
    defaultSays: "none: webhooks are at public addresses, by https",
    says: "private networks in which webhooks may be as well, also by plain http: for development, or receivers in the same cluster",
  }),
});
