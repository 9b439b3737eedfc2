import Type from "typebox";
import { EmailAddress, NewPassword, PersonText } from "@valence/runtime/contract";
import { route } from "@valence/runtime/gateway";

const email = EmailAddress();
const refreshToken = Type.String({ minLength: 1, maxLength: 200 });

export const accounts = [
  route("POST /auth/register", "accounts.register", {
    summary: "Open an account",
    access: "public",
    body: {
      email,
      password: NewPassword({ minLength: 8, maxLength: 128 }),
      name: PersonText({ maxLength: 200 }),
    },
    params: ({ body }) => body,
    status: 201,
  }),
  route("POST /auth/login", "accounts.login", {
    summary: "Log in: an access token for 15 minutes, and a refresh token",
    access: "public",
    body: { email, password: Type.String({ minLength: 1, maxLength: 512 }) },
    params: ({ body }) => body,
  }),
  route("POST /auth/refresh", "accounts.refresh", {
    summary: "New tokens for a refresh token, which is used up",
    access: "public",
    body: { refreshToken },
    params: ({ body }) => body,
  }),
  route("POST /auth/logout", "accounts.logout", {
    summary: "End the session of a refresh token",
    access: "public",
    body: { refreshToken },
    params: ({ body }) => body,
    status: 204,
  }),
  route("GET /me", "accounts.get", {
    summary: "Who is logged in",
    versioned: true,
    params: ({ user }) => ({ id: user.id }),
  }),
  route("GET /.well-known/jwks.json", "accounts.jwks", {
    summary: "Public keys of the access tokens",
    access: "public",
    params: () => ({}),
    cacheControl: "public, max-age=300",
  }),
];
