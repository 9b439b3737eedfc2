// The HTTP routes of API keys.
import { route } from "../../gateway/index.ts";
import { paged } from "../pages.ts";
import { keyContract } from "./contract.ts";

const { createApiKey, apiKeys, revokeApiKey } = keyContract.actions;
const { user, id } = revokeApiKey.params;

export const keyRoutes = () => [
  route("POST /me/keys", "accounts.createApiKey", {
    summary: "Make an API key for a machine: it is shown once. Without `expiresAt` it lasts 90 days; a year at most",
    body: createApiKey.params,
    secret: true,
    params: ({ body }) => body,
    status: 201,
  }),
  route("GET /me/keys", "accounts.apiKeys", {
    summary: "The user's API keys, with their last use; never the keys themselves",
    list: "rows",
    query: paged,
    params: ({ user: { id }, query }) => ({ ...query, user: id }),
  }),
  route("DELETE /me/keys/:id", "accounts.revokeApiKey", {
    summary: "Revoke an API key: it opens nothing from now on",
    path: { id },
    params: ({ path, user }) => ({ id: path.id, user: user.id }),
    status: 204,
  }),
  route("GET /users/:id/keys", "accounts.apiKeys", {
    summary: "A person's API keys",
    list: "rows",
    access: "admin",
    path: { id: apiKeys.params.user },
    query: paged,
    params: ({ path, query }) => ({ ...query, user: path.id }),
  }),
  route("DELETE /users/:id/keys/:key", "accounts.revokeApiKey", {
    summary: "Revoke a person's API key",
    access: "admin",
    path: { id: user, key: id },
    params: ({ path }) => ({ user: path.id, id: path.key }),
    status: 204,
  }),
];
