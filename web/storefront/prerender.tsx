// Pages of the catalog as HTML, for `web/prerender.ts`, which runs it on Node: what a guest sees who has never been here.
import { renderToStringAsync } from "preact-render-to-string";
import { titleText } from "../kit/page.ts";
import { giveData } from "../kit/prerendered.ts";
import { App, loadPage } from "./app.tsx";
import { categories, CATEGORIES } from "./categories.ts";
import { inputOf, keyOf, shownBy, titleOf } from "./pages/list/model.ts";
import { productKey } from "./pages/product/model.ts";
import type { Rendered, Renderer } from "./renderer.ts";

export const listInput: Renderer["listInput"] = category => inputOf(shownBy({}, category));

export const renderList: Renderer["renderList"] = (list, names, category) => {
  const shown = shownBy({}, category);
  const path = category === undefined ? "/" : `/categories/${encodeURIComponent(category)}`;
  return rendered(path, titleOf(shown), names, { [keyOf(shown)]: list });
};

export const renderProduct: Renderer["renderProduct"] = (product, names) =>
  rendered(`/products/${product.id}`, product.name, names, { [productKey(product.id)]: product });

async function rendered(
  path: string,
  title: string,
  names: readonly string[],
  page: Readonly<Record<string, unknown>>,
): Promise<Rendered> {
  const given = { path, data: { ...page, [CATEGORIES]: names } };
  await loadPage(path);
  giveData(given);
  categories.value = names;
  // The router asks where it is.
  Object.assign(globalThis, { location: new URL(path, "http://localhost") });
  return { html: await renderToStringAsync(<App />), title: titleText(title), given };
}
