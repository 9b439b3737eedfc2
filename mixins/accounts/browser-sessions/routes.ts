// The HTTP routes of browser sessions. The cookies are the gateway's.
import Type from "typebox";
import { route } from "../../gateway/index.ts";
import type { AccountsContract } from "../contract.ts";

/** Name of a session, of those that the gateway declares; default its first. */
const sessionName = Type.Optional(Type.String({ maxLength: 32 }));

export const browserSessionRoutes = ({ actions: { openSession } }: AccountsContract) => [
  route("POST /session", "accounts.openSession", {
    summary: "Log a browser in: its session is a cookie that no script can read. `for` names one of several sessions",
    access: "public",
    limit: "login",
    body: { email: openSession.params.email, password: openSession.params.password, for: sessionName },
    session: "open",
    params: ({ body: { email, password }, session }) => ({
      email,
      password,
      ...(session !== undefined && { replaces: session }),
    }),
  }),
  route("GET /session", "accounts.readSession", {
    summary: "The user that is logged in",
    params: () => ({}),
  }),
  route("DELETE /session", "accounts.closeSession", {
    summary: "Log a browser out: its session ends, and its cookie is gone",
    access: "public",
    session: "close",
    params: ({ session }) => (session === undefined ? {} : { session }),
    status: 204,
  }),
];
