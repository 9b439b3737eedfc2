// The screens that are looked at. Whoever adds a page adds a line.
import type { Screen, Visited } from "./visitor.ts";

const firstProduct = async ({ url }: Visited): Promise<string> => {
  const response = await fetch(`${url}/api/v1/products?pageSize=1`);
  const { rows } = (await response.json()) as { rows: { id: string }[] };
  return `/products/${rows[0]!.id}`;
};

const addToCart: Screen["before"] = async page => {
  await page.getByRole("button", { name: "Add to cart" }).click();
  await page.getByRole("button", { name: "See the cart" }).click();
  await page.getByRole("link", { name: "To the checkout" }).click();
};

export const screens: readonly Screen[] = [
  { name: "home", path: "/", as: "guest", ready: ".products .product h2", isEntry: true },
  { name: "category", path: "/categories/tea?sort=-price", as: "guest", ready: ".products .product h2" },
  { name: "search-none", path: "/search?q=zeppelin", as: "guest", ready: ".empty" },
  { name: "product", path: firstProduct, as: "guest", ready: ".status.good" },
  {
    name: "cart",
    path: firstProduct,
    as: "guest",
    ready: ".lines",
    before: async page => {
      await page.getByRole("button", { name: "Add to cart" }).click();
      await page.getByRole("button", { name: "See the cart" }).click();
    },
  },
  { name: "cart-empty", path: "/cart", as: "guest", ready: ".empty" },
  { name: "sign-in", path: "/sign-in", as: "guest", ready: "form.stack" },
  { name: "register", path: "/register", as: "guest", ready: "form.stack" },
  { name: "checkout-guest", path: "/checkout", as: "guest", ready: ".empty" },
  { name: "checkout", path: firstProduct, as: "customer", ready: "fieldset", before: addToCart },
  {
    name: "order",
    path: firstProduct,
    as: "customer",
    ready: ".notice.good",
    before: async (page, shop) => {
      await addToCart(page, shop);
      await page.getByLabel("Street and number").fill("1 Main St");
      await page.getByLabel("Postal code").fill("N1 9GU");
      await page.getByLabel("Town or city").fill("London");
      await page.getByRole("button", { name: /Order and pay/ }).click();
    },
  },
  { name: "order-none", path: "/orders/0190a0a0-0000-7000-8000-000000000000", as: "customer", ready: ".empty" },
  { name: "orders", path: "/orders", as: "customer", ready: ".empty, .table" },
  {
    name: "product-gone",
    path: "/products/0190a0a0-0000-7000-8000-000000000000",
    as: "guest",
    ready: ".empty",
  },
  { name: "page-beyond", path: "/?page=50", as: "guest", ready: ".empty" },
  { name: "not-found", path: "/nowhere/at/all", as: "guest", ready: ".empty" },
  { name: "console-sign-in", path: "/console", as: "guest", ready: "form" },
  { name: "console-overview", path: "/console", as: "operator", ready: ".empty, .table, .notice", isEntry: true },
  { name: "console-search", path: "/console/search?q=checkout", as: "operator", ready: ".empty, .table" },
  { name: "console-sagas", path: "/console/sagas?state=completed", as: "operator", ready: ".empty, .table" },
  { name: "console-saga-none", path: "/console/sagas/checkout.0", as: "operator", ready: ".empty" },
  { name: "console-letters", path: "/console/letters", as: "operator", ready: ".empty, .table" },
  { name: "console-quarantine", path: "/console/quarantine", as: "operator", ready: ".empty, .table" },
  { name: "console-projections", path: "/console/projections", as: "operator", ready: ".table" },
  { name: "console-nodes", path: "/console/nodes", as: "operator", ready: "details .table" },
  { name: "console-metrics", path: "/console/metrics?minutes=5", as: "operator", ready: ".empty, .charts" },
  { name: "console-trace", path: `/console/traces/${"0af7".repeat(8)}`, as: "operator", ready: ".empty, .table" },
  { name: "console-traces", path: "/console/traces", as: "operator", ready: ".empty, .table" },
  { name: "console-products", path: "/console/shop?tab=products", as: "operator", ready: ".table" },
  { name: "console-orders", path: "/console/shop", as: "operator", ready: ".empty, .table" },
  { name: "console-sales", path: "/console/shop?tab=sales", as: "operator", ready: ".empty, .table" },
  { name: "console-stock", path: "/console/shop?tab=stock", as: "operator", ready: ".table" },
  { name: "console-settings", path: "/console/settings", as: "operator", ready: "[aria-label=Configuration] .table" },
  {
    name: "console-find",
    path: "/console",
    as: "operator",
    ready: "[role=option]",
    before: async page => {
      await page.locator(".table, .empty").first().waitFor();
      await page.keyboard.press("Control+k");
      await page.getByRole("combobox", { name: /^A screen/ }).pressSequentially("st");
    },
  },
  {
    name: "console-keys",
    path: "/console",
    as: "operator",
    ready: ".keys",
    before: async page => {
      await page.locator(".table, .empty").first().waitFor();
      await page.keyboard.press("?");
    },
  },
  { name: "console-activity", path: "/console/activity", as: "operator", ready: ".empty, .table" },
  { name: "console-not-found", path: "/console/nowhere", as: "operator", ready: ".empty" },
];
