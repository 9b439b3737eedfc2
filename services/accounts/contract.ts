import Type from "typebox";
import { defineContract, EmailAddress, NewPassword, PersonText } from "@valence/runtime/contract";
import { accountErrors } from "./errors.ts";

const email = EmailAddress();
const password = NewPassword({ minLength: 8, maxLength: 128 });
/** As it is typed: a character of it may be four code points on another system. */
const typedPassword = Type.String({ minLength: 1, maxLength: 512 });
const refreshToken = Type.String({ minLength: 1, maxLength: 200 });
export const Person = Type.Object({
  id: Type.String(),
  email: Type.String(),
  name: Type.String(),
  roles: Type.Array(Type.String()),
  createdAt: Type.String(),
});
const Tokens = Type.Object({
  accessToken: Type.String(),
  refreshToken: Type.String(),
  /** Seconds. */
  expiresIn: Type.Integer(),
  user: Person,
});

export const contract = defineContract({
  service: "accounts",
  actions: {
    register: { params: { email, password, name: PersonText({ maxLength: 200 }) }, returns: Person },
    login: { params: { email, password: typedPassword }, returns: Tokens },
    refresh: { params: { refreshToken }, returns: Tokens },
    logout: { params: { refreshToken }, returns: Type.Object({ loggedOut: Type.Boolean() }) },
    get: { params: { id: Type.String({ format: "uuid" }) }, returns: Person },
    /** The public keys of access tokens, RFC 7517. */
    jwks: { params: {}, returns: Type.Object({ keys: Type.Array(Type.Record(Type.String(), Type.Unknown())) }) },
  },
  refusals: accountErrors,
  mayRefuse: {
    register: ["EMAIL_TAKEN", "TOO_MANY_REGISTRATIONS", "BUSY"],
    login: ["BAD_CREDENTIALS", "TOO_MANY_ATTEMPTS", "BUSY"],
    refresh: ["BAD_REFRESH_TOKEN"],
    logout: [],
    get: ["USER_NOT_FOUND"],
    jwks: [],
  },
});
declare global {
  interface Contracts {
    accounts: typeof contract;
  }
}
