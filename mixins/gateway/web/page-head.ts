// The head of a page about one thing, for those that run no scripts: search engines, previews of links. The rest of the page is made
// in the browser.
import type { ServiceBroker } from "moleculer";
import type { Meta } from "../../contract/index.ts";
import { ANONYMOUS } from "../auth/authentication.ts";

/** Pages about one thing each, which an action knows. */
export interface ThingPages {
  /** Paths of these pages; the group `id` is of the thing. */
  readonly path: RegExp;
  /** The action that knows the things, by `{ id }`; what everybody may read. It refuses unknown ids (404). */
  readonly action: string;
  readonly headOf: (answer: any) => PageHead;
}
export interface PageHead {
  readonly title: string;
  /** As long as it is: search engines cut it. */
  readonly description: string;
  /** Path of an image on this origin. */
  readonly image?: string | undefined;
}

const limits = {
  /** Milliseconds that a page waits for its head; then it comes without. */
  askMs: 1_000,
  /** Characters of a description that are sent. */
  descriptionMax: 300,
};

/** The head, `gone` where there is no such thing, or undefined where nobody knows just now: the page then says it itself. */
export async function headFor(
  broker: ServiceBroker,
  { action, headOf }: ThingPages,
  id: string,
): Promise<PageHead | "gone" | undefined> {
  const meta: Meta = { user: ANONYMOUS };
  try {
    return headOf(await broker.call(action, { id }, { meta, timeout: limits.askMs, retries: 0 }));
  } catch (error) {
    // An id that is none is refused by its form.
    return [404, 422].includes((error as { code?: unknown }).code as number) ? "gone" : undefined;
  }
}

/** The page with this head. `origin`: of the pages, where it is known: an address in a head is whole, or left out. */
export function withHead(html: string, head: PageHead, path: string, origin: string | undefined): string {
  const { title, image } = head;
  const description = head.description.slice(0, limits.descriptionMax);
  const address = origin === undefined ? undefined : `${origin}${path}`;
  const tags = [
    `<title>${escaped(title)}</title>`,
    `<meta name="description" content="${escaped(description)}">`,
    `<meta property="og:title" content="${escaped(title)}">`,
    `<meta property="og:description" content="${escaped(description)}">`,
    ...(address === undefined
      ? []
      : [
          `<link rel="canonical" href="${escaped(address)}">`,
          `<meta property="og:url" content="${escaped(address)}">`,
          ...(image === undefined ? [] : [`<meta property="og:image" content="${escaped(origin + image)}">`]),
        ]),
  ];
  return html.replace(/<title>.*?<\/title>/, () => tags.join("\n    "));
}

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
