import type { Context, Data } from "../../contract/index.ts";
import type { viewActions } from "./contract.ts";

/** The context of a view's action. */
export type Ctx<A extends keyof typeof viewActions> = Context<Data<(typeof viewActions)[A]["params"]>>;
