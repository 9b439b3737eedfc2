// The shop as this page uses it: its API, and who is signed in.
import { createApi } from "../api.ts";
import { createSession } from "../session.ts";

export const shop = createApi("shop");
export const session = createSession("shop", shop);
