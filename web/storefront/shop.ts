// The shop as this page uses it: its API, and who is signed in.
import { createSession } from "../session.ts";

export const { api: shop, session } = createSession("shop");
