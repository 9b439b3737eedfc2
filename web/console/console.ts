// The console as this page uses it: its API, and who is signed in. Its session is apart from the shop's.
import { createSession } from "../session.ts";

export const { api, session } = createSession("console");
