import { Gateway } from "@valence/runtime/gateway/mixin";
import { routes } from "./routes/index.ts";

export default Gateway({ api: { name: "Valence commerce API" }, routes });
