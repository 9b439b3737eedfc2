import { Gateway } from "@valence/runtime/gateway/mixin";
import { routes } from "./routes/index.ts";

/** The sessions of two pages on one host: the storefront and the console of its operators. */
const sessions = ["shop", "console"];

export default Gateway({ api: { name: "Valence commerce API" }, routes, sessions });
