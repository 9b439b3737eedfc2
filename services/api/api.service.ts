import { Gateway } from "@valence/runtime/gateway/mixin";
import { images, productPages } from "./routes/catalog.ts";
import { routes } from "./routes/index.ts";

/** The sessions of two pages on one host: the storefront and the console of its operators. */
const sessions = ["shop", "console"];
const api = {
  name: "Valence commerce API",
  license: { name: "MIT", identifier: "MIT" },
  groups: {
    audit: "The record of every event, for administrators: read and verified.",
    accounts: "Accounts of customers and operators: registering, logging in, tokens, roles.",
    carts: "The cart of the user that asks.",
    catalog: "Products: searched and read by everybody, changed by administrators.",
    inventory: "Stock by SKU.",
    "order-views": "Lists of orders.",
    orders: "Orders: placed, watched, cancelled, and money given back.",
    ops: "The running system, for administrators: nodes, sagas, actors, projections, dead letters.",
    payments: "The payment provider: its notices, and repairs by administrators.",
  },
};

const pages = {
  folder: "web",
  apps: {
    // Products may have their images anywhere.
    "/": { html: "storefront.html", images: ["https:"], things: [productPages] },
    "/console": { html: "console.html" },
  },
};

export default Gateway({ api, routes, sessions, pages, images });
