// The types of the client, inferred from the route table. Nothing of the server is loaded: every import here is one of types.
import type { TypesOf, UsualCode } from "@valence/runtime/gateway";
import type { routes } from "../services/api/routes/index.ts";

/** Types of the routes, by line: `POST /orders`. */
export type Routes = TypesOf<typeof routes>;
/** All but the payment provider's: it alone calls its webhook, and signs the body. */
export type Line = Exclude<keyof Routes, "POST /payments/webhook">;
/** Codes that any call may meet, besides the refusals of its own operation. */
export type GeneralCode = UsualCode;
