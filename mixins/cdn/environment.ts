// The network that keeps public answers before the gateway, as far as it is told of changes.
import { defineEnvironment, EnvironmentError, oneOf, secret, url } from "../kernel/index.ts";

export const cdnEnvironment = defineEnvironment(
  "Delivery network",
  {
    CDN_PURGE_URL: url({
      protocols: ["http:", "https:"],
      defaultSays: "no network is told of changes",
      says:
        "where a [network before the gateway](cdn.md) takes purges: the address of a Varnish, " +
        "`https://api.fastly.com/service/<id>/purge`, or `https://api.cloudflare.com/client/v4/zones/<id>/purge_cache`",
    }),
    CDN_PURGE_FORM: oneOf(["varnish", "fastly", "cloudflare"], {
      default: "varnish",
      says: "the form of a purge; `varnish` is a `PURGE` with the header `xkey`, to every address that the host's name has",
    }),
    CDN_PURGE_TOKEN: secret({
      pattern: /^[!-~]{8,1000}$/,
      expected: "8 to 1,000 printable ASCII characters without blanks",
      defaultSays: "none is sent",
      says: "what authorizes a purge; Fastly and Cloudflare need one",
    }),
  },
  ({ CDN_PURGE_URL, CDN_PURGE_FORM, CDN_PURGE_TOKEN }) => {
    if (CDN_PURGE_URL === undefined || CDN_PURGE_FORM === "varnish") return;
    if (CDN_PURGE_TOKEN === undefined)
      throw new EnvironmentError("CDN_PURGE_TOKEN", "", `a token, which CDN_PURGE_FORM=${CDN_PURGE_FORM} needs`);
  },
);
