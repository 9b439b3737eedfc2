// The HTTP routes of accounts: registering, logging in, and an administrator's changes to people. They are the same for
// every domain; its contract declares the roles.
import { fixedFields, type AccountsContract } from "./contract.ts";
import { route } from "../gateway/index.ts";
import { keyRoutes } from "./api-keys/routes.ts";
import { browserSessionRoutes } from "./browser-sessions/routes.ts";
import { closedToKeys } from "./key-use.ts";

/**
 * All routes of accounts, for the gateway of a domain: `[...accountRoutes(contract), …]`. The summaries tell how long
 * tokens last.
 */
export function accountRoutes(contract: AccountsContract) {
  const { actions } = contract;
  const { register, login, refresh, logout, get, list, setRoles } = actions;
  const { endSession, endSessions, changePassword, forgotPassword, resetPassword, verifyEmail, rotateKeys } = actions;
  const routes = [
    route("POST /auth/register", "accounts.register", {
      summary: "Open an account",
      access: "public",
      limit: "register",
      body: register.params,
      params: ({ body }) => body,
      status: 201,
    }),
    route("POST /auth/login", "accounts.login", {
      summary: "Log in: an access token for 15 minutes, and a refresh token",
      access: "public",
      limit: "login",
      body: login.params,
      params: ({ body }) => body,
    }),
    route("POST /auth/refresh", "accounts.refresh", {
      priority: "critical",
      summary: "New tokens for a refresh token, which is used up",
      access: "public",
      body: refresh.params,
      params: ({ body }) => body,
    }),
    route("POST /auth/logout", "accounts.logout", {
      summary: "End the session of a refresh token",
      access: "public",
      limit: "login",
      body: logout.params,
      params: ({ body }) => body,
      status: 204,
    }),
    route("GET /me", "accounts.get", {
      summary: "The user that is logged in",
      versioned: true,
      params: ({ user }) => ({ id: user.id }),
    }),
    route("GET /me/sessions", "accounts.sessions", {
      summary: "The sessions of the user, the latest used first",
      list: "rows",
      query: actions.sessions.params,
      params: ({ query }) => query,
    }),
    route("DELETE /me/sessions/:id", "accounts.endSession", {
      summary: "End one session: its refresh token is worth nothing any more",
      path: endSession.params,
      params: ({ path }) => path,
      status: 204,
    }),
    route("DELETE /me/sessions", "accounts.endSessions", {
      summary: "End all sessions of the user; with `others=true` all but the one that asks",
      query: endSessions.params,
      params: ({ query }) => query,
      status: 204,
    }),
    route("POST /me/password", "accounts.changePassword", {
      summary: "Change the password; ends all other sessions",
      limit: "login",
      body: changePassword.params,
      params: ({ body }) => body,
      status: 204,
    }),
    route("POST /me/email/verification", "accounts.sendVerification", {
      summary: "Mail another token that verifies the user's address",
      limit: "reset",
      params: () => ({}),
      status: 202,
    }),
    route("POST /auth/email/verify", "accounts.verifyEmail", {
      summary: "Verify the address of an account by the token that was mailed to it",
      access: "public",
      limit: "reset",
      body: verifyEmail.params,
      params: ({ body }) => body,
      status: 204,
    }),
    route("POST /auth/password/forgot", "accounts.forgotPassword", {
      summary: "Mail a token that sets a new password; the answer is the same for every address",
      access: "public",
      limit: "reset",
      body: forgotPassword.params,
      params: ({ body }) => body,
      status: 202,
    }),
    route("POST /auth/password/reset", "accounts.resetPassword", {
      summary: "Set a new password by the token that was mailed; ends all sessions",
      access: "public",
      limit: "reset",
      body: resetPassword.params,
      params: ({ body }) => body,
      status: 204,
    }),
    route("PATCH /me", "accounts.changeProfile", {
      summary: "Change the own name; heeds `If-Match`. The other fields may be sent back as they are",
      body: { name: actions.changeProfile.params.name, ...fixedFields },
      versioned: true,
      params: ({ body: { name, ...unchanged }, user, conditions }) => ({
        ...(name !== undefined && { name }),
        ...(Object.keys(unchanged).length > 0 && { unchanged }),
        ...conditions,
        person: user.id,
      }),
    }),
    route("GET /users", "accounts.list", {
      priority: "bulk",
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
    route("GET /ops/keys", "accounts.signingKeys", {
      summary: "The keys of access tokens, the newest first: published, signing, retired",
      access: "admin",
      list: "keys",
      params: () => ({}),
    }),
    route("POST /ops/keys/rotate", "accounts.rotateKeys", {
      summary: "Publish a key that signs in ten minutes; with `stolen` one that replaces all others at once",
      access: "admin",
      body: rotateKeys.params,
      params: ({ body }) => body,
    }),
    ...keyRoutes(),
    ...browserSessionRoutes(contract),
    route("GET /.well-known/jwks.json", "accounts.jwks", {
      priority: "critical",
      summary: "Public keys of the access tokens",
      access: "public",
      params: () => ({}),
      // A new key signs no sooner than these seconds after it is here.
      cache: { maxAge: 300, sMaxAge: 300, tags: () => ["keys"] },
    }),
  ];
  return routes.map(route => closedToKeys(route));
}
