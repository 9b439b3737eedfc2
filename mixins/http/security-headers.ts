// The security headers of every response, refusals and streams included, as helmet has them. Helmet runs once, at the
// start: its values depend on no request, and the raw answers to bytes that are no HTTP need them, too.
import helmet, { type HelmetOptions } from "helmet";
import type { IncomingMessage, ServerResponse } from "node:http";

export type HeaderList = readonly (readonly [name: string, value: string])[];

const COMMON = {
  strictTransportSecurity: { maxAge: 31_536_000, includeSubDomains: true },
  referrerPolicy: { policy: "no-referrer" },
  xFrameOptions: { action: "deny" },
} as const satisfies HelmetOptions;

/** Of JSON, text and event streams: no browser may load or frame anything for them. */
export const SECURITY_HEADERS = headersOf({
  ...COMMON,
  contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] } },
  crossOriginResourcePolicy: { policy: "same-site" },
  // They are about documents, or about browsers that are gone: 130 bytes that no reader of JSON heeds.
  crossOriginOpenerPolicy: false,
  originAgentCluster: false,
  xDnsPrefetchControl: false,
  xDownloadOptions: false,
  xXssProtection: false,
});

/**
 * The policy of pages for browsers: scripts, styles, images and fonts from this origin alone, none inline, and no address but this
 * origin may be called.
 */
export const PAGE_HEADERS = headersOf({
  ...COMMON,
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      defaultSrc: ["'none'"],
      scriptSrc: ["'self'"],
      styleSrc: ["'self'"],
      imgSrc: ["'self'", "data:"],
      fontSrc: ["'self'"],
      connectSrc: ["'self'"],
      baseUri: ["'none'"],
      formAction: ["'self'"],
      frameAncestors: ["'none'"],
    },
  },
  crossOriginResourcePolicy: { policy: "same-origin" },
});

/**
 * The policy of a page whose scripts are our own: as above, and no text becomes markup or code by whatever way. `images`: sources of
 * images beside this origin; `assets`: another origin of its scripts, styles and images.
 */
export const appHeaders = (images: readonly string[], assets?: string): HeaderList => {
  const own = ["'self'", ...(assets === undefined ? [] : [assets])];
  return headersOf({
    ...COMMON,
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: own,
        styleSrc: own,
        imgSrc: [...own, ...images],
        connectSrc: ["'self'"],
        manifestSrc: own,
        formAction: ["'self'"],
        baseUri: ["'none'"],
        frameAncestors: ["'none'"],
        requireTrustedTypesFor: ["'script'"],
        trustedTypes: ["'none'"],
      },
    },
    crossOriginResourcePolicy: { policy: "same-origin" },
  });
};

/** The header fields that helmet sets on a response. */
function headersOf(options: HelmetOptions): HeaderList {
  const set = new Map<string, string>();
  const response = { setHeader: (name: string, value: string) => set.set(name, value), removeHeader: () => {} };
  helmet(options)({} as IncomingMessage, response as unknown as ServerResponse, error => {
    if (error) throw error;
  });
  // Directives are written as people write them, a blank after each semicolon.
  return [...set].map(
    ([name, value]) => [name, name === "Content-Security-Policy" ? value.replaceAll(/;(?=\S)/g, "; ") : value] as const,
  );
}
