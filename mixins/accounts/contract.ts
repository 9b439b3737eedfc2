// The contract of the accounts service, for the roles of one domain. The types do not depend on the roles: a domain
// declares them at run time, and its contract refuses every other name.
import Type, { type Static, type TSchema } from "typebox";
import { Conditions, Cursor, defineContract, EmailAddress, NewPassword, TextLine } from "../contract/index.ts";
import { Misconfigured } from "../kernel/index.ts";
import { limits } from "./limits.ts";
import { accountErrors } from "./errors.ts";

const email = EmailAddress();
const password = NewPassword({ minLength: 8, maxLength: 128 });
/** A password as it is typed: one character of it may be four code points on another system. */
const typedPassword = Type.String({ minLength: 1, maxLength: 512 });
const refreshToken = Type.String({ minLength: 1, maxLength: 200 });
const id = Type.String({ format: "uuid" });
/** The part of an account that others may see: everything but the password's hash. */
export const Person = Type.Object({
  id: Type.String(),
  email: Type.String(),
  name: Type.String(),
  roles: Type.Array(Type.String()),
  createdAt: Type.String(),
});
export type Person = Static<typeof Person>;
const Tokens = Type.Object({
  accessToken: Type.String(),
  refreshToken: Type.String(),
  /** Seconds. */
  expiresIn: Type.Integer(),
  user: Person,
});

/** The role that the runtime itself knows: it may operate the system, and grant roles. */
export const ADMIN = "admin";
/** Lower-case letters, digits and hyphens: no character that has a meaning within a `LIKE`. */
const ROLE = /^[a-z][a-z0-9-]{0,63}$/;

/**
 * The contract of accounts with these roles and `admin`. Throws Misconfigured for a malformed name: it must be a
 * lower-case letter, then up to 63 lower-case letters, digits and hyphens.
 */
export function accountsContract({ roles }: { roles: readonly string[] }) {
  for (const role of roles)
    if (!ROLE.test(role))
      throw new Misconfigured(`the role "${role}": expected lower-case letters, digits and hyphens`);
  const declared = [...new Set([ADMIN, ...roles])];
  const role = Type.Enum(declared);
  return defineContract({
    service: "accounts",
    actions: {
      register: { params: { email, password, name: TextLine({ maxLength: 200 }) }, returns: Person },
      login: { params: { email, password: typedPassword }, returns: Tokens },
      refresh: { params: { refreshToken }, returns: Tokens },
      logout: { params: { refreshToken }, returns: Type.Object({ loggedOut: Type.Boolean() }) },
      get: { params: { id }, returns: Person },
      /** Accounts, newest first: all, the one with an address, or those with a role. */
      list: {
        params: {
          email: Type.Optional(email),
          role: Type.Optional(role),
          page: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })),
          pageSize: Type.Optional(Type.Integer({ minimum: 1, maximum: limits.pageSizeMax })),
          cursor: Type.Optional(Cursor),
        },
        returns: Type.Object({
          rows: Type.Array(Person),
          total: Type.Integer(),
          /** Present on a page that was asked for by number. */
          page: Type.Optional(Type.Integer()),
          pageSize: Type.Integer(),
          /** Where the next page begins; absent on the last. */
          nextCursor: Type.Optional(Type.String()),
        }),
      },
      /**
       * Grants and withdraws roles: afterwards the account has exactly these. May be repeated. The person who asks must
       * be an administrator now, whatever their token says, and a call without a person is refused (`FORBIDDEN`).
       */
      setRoles: {
        params: {
          id,
          roles: Type.Array(role, { uniqueItems: true, maxItems: declared.length }),
          if: Type.Optional(Conditions),
        },
        returns: Person,
      },
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
      list: [],
      setRoles: ["USER_NOT_FOUND", "LAST_ADMINISTRATOR"],
      jwks: [],
    },
    // Everybody who is logged in has `account:*`: their own.
    permissions: { get: "account:read", list: "accounts:read", setRoles: "accounts:write" },
  });
}
export type AccountsContract = ReturnType<typeof accountsContract>;
declare global {
  interface Contracts {
    accounts: AccountsContract;
  }
}

/** The roles that a contract declares, `admin` first. */
export function rolesDeclared(contract: AccountsContract): readonly string[] {
  const { roles } = contract.actions.setRoles.params;
  return (roles.items as TSchema & { enum: readonly string[] }).enum;
}
