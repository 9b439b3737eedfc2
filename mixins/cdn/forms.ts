// The forms in which networks take a purge by key.
import type { OutgoingHttpHeaders } from "node:http";

/** A request to a network. */
export interface PurgeRequest {
  readonly method: string;
  readonly headers: OutgoingHttpHeaders;
  readonly body: string;
}
export interface PurgeForm {
  /** Keys of one request, and the bytes that they may have together. */
  readonly keysMax: number;
  readonly bytesMax: number;
  /** Whether each address that the host's name has is a cache of its own, and gets the purge. */
  readonly toEachAddress: boolean;
  readonly request: (keys: readonly string[], token: string | undefined) => PurgeRequest;
  /** Why an answer with a 2xx is none; undefined when the purge is done. */
  readonly problem?: (body: string) => string | undefined;
}

export type FormName = "varnish" | "fastly" | "cloudflare";
export const forms: Readonly<Record<FormName, PurgeForm>> = {
  /** Varnish's default for one header field is 8 kB (`http_req_hdr_len`), our configuration leaves it so. */
  varnish: {
    keysMax: 200,
    bytesMax: 6_000,
    toEachAddress: true,
    request: (keys, token) => ({
      method: "PURGE",
      headers: { ...(token !== undefined && { Authorization: `Bearer ${token}` }), xkey: keys.join(" ") },
      body: "",
    }),
  },
  /** https://www.fastly.com/documentation/reference/api/purging/: at most 256 keys, in a header of 16 kB. */
  fastly: {
    keysMax: 256,
    bytesMax: 8_000,
    toEachAddress: false,
    request: (keys, token) => ({
      method: "POST",
      headers: { "Fastly-Key": token, Accept: "application/json", "Surrogate-Key": keys.join(" ") },
      body: "",
    }),
  },
  /** https://developers.cloudflare.com/api/resources/cache/methods/purge/: 30 tags, which every plan takes. */
  cloudflare: {
    keysMax: 30,
    bytesMax: 30_000,
    toEachAddress: false,
    request: (keys, token) => ({
      method: "POST",
      headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
      body: JSON.stringify({ tags: keys }),
    }),
    problem: body => (isSuccess(body) ? undefined : `it answers ${body}`),
  },
};

function isSuccess(body: string): boolean {
  try {
    return (JSON.parse(body) as { success?: unknown } | null)?.success === true;
  } catch {
    return false;
  }
}

/** The keys in parts that one request each may have. */
export function partsOf(keys: readonly string[], { keysMax, bytesMax }: PurgeForm): string[][] {
  const parts: string[][] = [];
  let bytes = Infinity;
  for (const key of keys) {
    const part = parts.at(-1);
    if (part && part.length < keysMax && bytes + key.length + 1 <= bytesMax) part.push(key);
    else {
      parts.push([key]);
      bytes = 0;
    }
    bytes += key.length + 1;
  }
  return parts;
}
