// The shop for a delivery network (docs/cdn.md): each page of the catalog as a file with its content, for search engines and for who
// has no patience; the scripts take it over. What a file says is as old as the build, and the page asks at once whether it still holds.
//
//   index.html, categories/<name>.html, products/<id>.html   with title, description, canonical address and the product's data
//   storefront.html      every other page of the shop: cart, checkout, orders
//   404.html             the same, for a product that is not there: the network answers 404 with it
//   sitemap.xml, robots.txt
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { createClient } from "../client/index.ts";
import type { Product, Rendered, Renderer } from "./storefront/renderer.ts";

export interface Prerendering {
  /** Folder of the output. */
  readonly folder: string;
  /** Origin of a shop that runs: its products become pages. */
  readonly shop: string;
  /** Origin of the pages, for canonical addresses. */
  readonly site: string;
  readonly renderer: Renderer;
  /** Addresses of scripts that a product's page needs besides those of every page. */
  readonly productScripts: readonly string[];
}

interface Page extends Rendered {
  readonly description: string;
  /** Scripts that are loaded at once. */
  readonly scripts?: readonly string[];
  readonly product?: Product;
}

const limits = {
  /** Products that one question of the catalog is for: the API's maximum. */
  productsPerPage: 100,
  /** Characters of a description: search engines show no more. */
  descriptionMax: 160,
};
const FRONT = "Mugs, coffee, tea and paper, made by people who care how they feel in the hand.";

/** Throws ProblemError where the shop does not answer. */
export async function prerender({ folder, shop: url, site, renderer, productScripts }: Prerendering): Promise<void> {
  const shop = createClient({ url });
  const { rows } = await shop.categories.list();
  const names = rows.map(({ category }) => category);
  const frame = await readFile(join(folder, "storefront.html"), "utf8");
  const paths: string[] = [];
  const write = async (page: Page): Promise<void> => {
    const { path } = page.given;
    const file = path === "/" ? "index" : decodeURIComponent(path.slice(1));
    await put(folder, `${file}.html`, filled(frame, page, site));
    paths.push(path);
  };

  const front = await shop.products.list(renderer.listInput());
  await write({ ...(await renderer.renderList(front, names)), description: FRONT });
  for (const name of names.filter(isFileName)) {
    const list = await shop.products.list(renderer.listInput(name));
    const description = shortened(list.rows.map(product => product.name).join(", "));
    await write({ ...(await renderer.renderList(list, names, name)), description });
  }
  for await (const product of shop.products.all({ pageSize: limits.productsPerPage })) {
    const page = await renderer.renderProduct(product, names);
    await write({ ...page, description: shortened(product.description), scripts: productScripts, product });
  }
  await put(
    folder,
    "404.html",
    frame.replace("</title>", () => `</title>\n    ${NOT_LISTED}`),
  );
  await put(folder, "sitemap.xml", sitemapOf(paths.map(path => `${site}${path}`)));
  await put(folder, "robots.txt", robotsOf(site));
}

async function put(folder: string, file: string, text: string): Promise<void> {
  const path = join(folder, file);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}

/** A category may have any name. One that is no name of a file has no file: the network answers with storefront.html. */
const isFileName = (name: string): boolean => !/[/\\\0]|^\./.test(name);

const NOT_LISTED = `<meta name="robots" content="noindex" />`;

function filled(frame: string, page: Page, site: string): string {
  const { html, title, description, given, scripts = [], product } = page;
  const address = `${site}${given.path}`;
  const head = [
    `<title>${escaped(title)}</title>`,
    `<meta name="description" content="${escaped(description)}" />`,
    `<link rel="canonical" href="${escaped(address)}" />`,
    `<meta property="og:title" content="${escaped(title)}" />`,
    `<meta property="og:description" content="${escaped(description)}" />`,
    `<meta property="og:url" content="${escaped(address)}" />`,
    `<meta property="og:type" content="${product ? "product" : "website"}" />`,
    ...(product ? [`<meta property="og:image" content="${escaped(imageOf(product, site))}" />`] : []),
    ...scripts
      .filter(script => !frame.includes(`"${script}"`))
      .map(script => `<link rel="modulepreload" crossorigin href="${escaped(script)}" />`),
    ...(product ? [dataBlock("application/ld+json", linkedData(product, site))] : []),
  ];
  return frame
    .replace(/<title>.*?<\/title>/, () => head.join("\n    "))
    .replace('<div id="app"></div>', () => `<div id="app">${html}</div>`)
    .replace(/<noscript>.*?<\/noscript>/, () => "<noscript>To order, this page needs JavaScript.</noscript>")
    .replace("</body>", () => `  ${dataBlock("application/json", given, "prerendered")}\n  </body>`);
}

/** Data that a browser never runs: no policy of scripts is about it. */
const dataBlock = (type: string, data: unknown, id?: string): string =>
  `<script type="${type}"${id === undefined ? "" : ` id="${id}"`}>${JSON.stringify(data).replaceAll("<", String.raw`\u003c`)}</script>`;

/** Stock is left out: it changes with every order, and the file is as old as the build. */
const linkedData = (product: Product, site: string) => ({
  "@context": "https://schema.org",
  "@type": "Product",
  name: product.name,
  description: product.description,
  sku: product.sku,
  category: product.category,
  image: imageOf(product, site),
  offers: {
    "@type": "Offer",
    url: `${site}/products/${product.id}`,
    price: decimal(product.price),
    priceCurrency: product.price.currency,
  },
});
const imageOf = ({ id }: Product, site: string): string => `${site}/images/${id}/960.jpg`;

/** `18.00`: with as many digits as the currency has. */
function decimal({ amount, currency }: Product["price"]): string {
  const digits =
    new Intl.NumberFormat("en", { style: "currency", currency }).resolvedOptions().maximumFractionDigits ?? 2;
  return (amount / 10 ** digits).toFixed(digits);
}

function shortened(text: string): string {
  if (text.length <= limits.descriptionMax) return text;
  return `${text.slice(0, limits.descriptionMax).replace(/\s+\S*$/, "")} …`;
}
const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

const sitemapOf = (addresses: readonly string[]): string => `<?xml version="1.0" encoding="UTF-8"?>
<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">
${addresses.map(address => `  <url><loc>${escaped(address)}</loc></url>`).join("\n")}
</urlset>
`;
const robotsOf = (site: string): string => `User-agent: *
Disallow: /api/
Disallow: /cart
Disallow: /checkout
Disallow: /console
Disallow: /orders
Sitemap: ${site}/sitemap.xml
`;
