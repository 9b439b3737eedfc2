// The HTTP door: every route is in routes/.
import { Gateway } from "@valence/runtime/gateway/mixin";
import { routes } from "./routes/index.ts";

export default Gateway({ api: { name: "app API" }, routes });
