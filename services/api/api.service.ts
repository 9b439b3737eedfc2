import { Gateway } from "@valence/runtime/gateway/mixin";
import { routes } from "./routes/index.ts";

export default Gateway({ routes });
