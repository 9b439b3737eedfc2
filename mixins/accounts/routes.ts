// The HTTP routes of accounts: registering, logging in, and an administrator's changes to people. They are the same for
// every domain; its contract declares the roles.
import type { AccountsContract } from "./contract.ts";
import { route, type Route } from "../gateway/index.ts";

/**
 * All routes of accounts, for the gateway of a domain: `[...accountRoutes(contract), …]`. The summaries tell how long
 * tokens last.
 */
export function accountRoutes({ actions }: AccountsContract): Route[] {
  const { register, login, refresh, logout, get, list, setRoles } = actions;
  return [
    route("POST /auth/register", "accounts.register", {
      summary: "Open an account",
      access: "public",
      body: register.params,
      params: ({ body }) => body,
      status: 201,
    }),
    route("POST /auth/login", "accounts.login", {
      summary: "Log in: an access token for 15 minutes, and a refresh token",
      access: "public",
      body: login.params,
      params: ({ body }) => body,
    }),
    route("POST /auth/refresh", "accounts.refresh", {
      summary: "New tokens for a refresh token, which is used up",
      access: "public",
      body: refresh.params,
      params: ({ body }) => body,
    }),
    route("POST /auth/logout", "accounts.logout", {
      summary: "End the session of a refresh token",
      access: "public",
      body: logout.params,
      params: ({ body }) => body,
      status: 204,
    }),
    route("GET /me", "accounts.get", {
      summary: "The user that is logged in",
      versioned: true,
      params: ({ user }) => ({ id: user.id }),
    }),
    route("GET /users", "accounts.list", {
      summary: "People, newest first; the one with an e-mail address, or those with a role",
      access: "admin",
      query: list.params,
      list: "rows",
      params: ({ query }) => query,
    }),
    route("GET /users/:id", "accounts.get", {
      summary: "One person",
      access: "admin",
      path: get.params,
      versioned: true,
      params: ({ path }) => path,
    }),
    route("PATCH /users/:id", "accounts.setRoles", {
      summary:
        "Set the roles of an account: it then has exactly the roles that are sent. Tokens have them from the next refresh on",
      access: "admin",
      path: { id: setRoles.params.id },
      body: { roles: setRoles.params.roles },
      versioned: true,
      params: ({ path, body, conditions }) => ({ ...body, ...conditions, id: path.id }),
    }),
    route("GET /.well-known/jwks.json", "accounts.jwks", {
      summary: "Public keys of the access tokens",
      access: "public",
      params: () => ({}),
      cacheControl: "public, max-age=300",
    }),
  ];
}
