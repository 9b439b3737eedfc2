// The contract of the accounts service, for the roles of one domain. The types do not depend on the roles: a domain
// declares them at run time, and its contract refuses every other name.
import Type, { type Static, type TSchema } from "typebox";
import {
  Conditions,
  Cursor,
  defineContract,
  EmailAddress,
  KnownEmailAddress,
  NewPassword,
  PERSONAL,
  strictObject,
  TextLine,
} from "../contract/index.ts";
import { Misconfigured } from "../kernel/index.ts";
import { limits } from "./limits.ts";
import { accountErrors } from "./errors.ts";
import { paged } from "./pages.ts";
import { keyContract } from "./api-keys/contract.ts";
import { browserSessionContract } from "./browser-sessions/contract.ts";
import { exchangeContract } from "./exchange/contract.ts";
import { answerActions } from "./answers/contract.ts";

const email = EmailAddress();
const knownEmail = KnownEmailAddress();
const password = NewPassword({ minLength: 8, maxLength: 128 });
/** A password as it is typed: one character of it may be four code points on another system. */
const typedPassword = Type.String({ minLength: 1, maxLength: 512, writeOnly: true });
const refreshToken = Type.String({ minLength: 1, maxLength: 200 });
const id = Type.String({ format: "uuid" });
/** The part of an account that others may see: everything but the password's hash. */
export const Person = Type.Object(
  {
    id: Type.String(),
    email: Type.String(PERSONAL),
    name: Type.String(PERSONAL),
    roles: Type.Array(Type.String()),
    /** Whether the person has shown that they read this mailbox. */
    emailVerified: Type.Boolean(),
    createdAt: Type.String(),
  },
  { title: "User" },
);
export type Person = Static<typeof Person>;
/** The fields of a person that nobody changes by sending them. */
export const fixedFields = {
  id: Type.Optional(Type.String({ maxLength: 64 })),
  email: Type.Optional(Type.String({ maxLength: 254, ...PERSONAL })),
  roles: Type.Optional(Type.Array(Type.String({ maxLength: 64 }), { maxItems: 100 })),
  emailVerified: Type.Optional(Type.Boolean()),
  createdAt: Type.Optional(Type.String({ maxLength: 40 })),
};
const Tokens = Type.Object(
  {
    accessToken: Type.String(),
    refreshToken: Type.String(),
    /** Seconds. */
    expiresIn: Type.Integer(),
    user: Person,
  },
  { title: "Tokens" },
);

/** One log-in of a person, on one device. */
export const Session = Type.Object(
  {
    id: Type.String(),
    /** The device as people call it: `Firefox on Linux`. */
    device: Type.String(),
    /** Network of its last use, as far as it is known. */
    address: Type.Optional(Type.String()),
    createdAt: Type.String(),
    lastUsedAt: Type.String(),
    /** Whether it is the session that asks. */
    current: Type.Boolean(),
  },
  { title: "Session" },
);
export type Session = Static<typeof Session>;
const mailedToken = Type.String({ minLength: 1, maxLength: 200, writeOnly: true });
/** Id of a session: one of ours, in either store. */
const sessionId = Type.String({ pattern: "^[\\w-]{1,64}$" });
/** A public key and its times. */
export const SigningKey = Type.Object(
  {
    kid: Type.String(),
    /** `published`: it will sign; `signing`; `retired`: what it has signed verifies until `verifiesUntil`. */
    state: Type.Enum(["published", "signing", "retired"]),
    publishedAt: Type.String(),
    signsFrom: Type.String(),
    verifiesUntil: Type.Optional(Type.String()),
  },
  { title: "SigningKey" },
);
export type SigningKey = Static<typeof SigningKey>;
const Keys = Type.Object({ keys: Type.Array(SigningKey) });
const Accepted = Type.Object({ accepted: Type.Boolean() });

/** The role that the runtime itself knows: it may operate the system, and grant roles. */
export const ADMIN = "admin";
/** The runtime's other role: it reads all of operations, and changes nothing. */
export const VIEWER = "viewer";
/** Lower-case letters, digits and hyphens: no character that has a meaning within a `LIKE`. */
const ROLE = /^[a-z][a-z0-9-]{0,63}$/;

/** Actions that services use on nobody's behalf: the gateway, and those that write to people. */
type ForServices = "get" | "exchange" | "claimAnswer" | "finishAnswer" | "releaseAnswer";

interface AccountsOptions {
  readonly roles: readonly string[];
  /** The actions that each service may use, by its name: see `callers` of a contract. */
  readonly callers?: Readonly<Record<string, readonly ForServices[]>>;
}

/**
 * The contract of accounts with these roles, `admin` and `viewer`. Throws Misconfigured for a malformed name: it must be a
 * lower-case letter, then up to 63 lower-case letters, digits and hyphens.
 */
export function accountsContract({ roles, callers }: AccountsOptions) {
  for (const role of roles)
    if (!ROLE.test(role))
      throw new Misconfigured(`the role "${role}": expected lower-case letters, digits and hyphens`);
  const declared = [...new Set([ADMIN, VIEWER, ...roles])];
  const role = Type.Enum(declared);
  const browserSessions = browserSessionContract(Person);
  return defineContract({
    service: "accounts",
    ...(callers && { callers }),
    actions: {
      register: { params: { email, password, name: TextLine({ maxLength: 200, personal: true }) }, returns: Person },
      login: { params: { email: knownEmail, password: typedPassword }, returns: Tokens },
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
      /** The sessions of the person who asks, the latest used first. */
      sessions: {
        params: paged,
        returns: Type.Object({ rows: Type.Array(Session), nextCursor: Type.Optional(Type.String()) }),
      },
      /** Ends one of the sessions of the person who asks. Access tokens that it has got live on, 15 minutes at most. */
      endSession: { params: { id: sessionId }, returns: Type.Object({ ended: Type.Boolean() }) },
      /** Ends all sessions of the person who asks; with `others` all but the one that asks. May be repeated. */
      endSessions: {
        params: { others: Type.Optional(Type.Boolean()) },
        returns: Type.Object({ ended: Type.Boolean() }),
      },
      /** Gives the person who asks another password, and ends all sessions but the one that asks. */
      changePassword: {
        params: { currentPassword: typedPassword, newPassword: password },
        returns: Type.Object({ changed: Type.Boolean() }),
      },
      /** Mails a token that sets a new password. The answer is the same for every address. */
      forgotPassword: { params: { email: knownEmail }, returns: Accepted },
      /** Sets a new password, once for each token, and ends all sessions. */
      resetPassword: {
        params: { token: mailedToken, newPassword: password },
        returns: Type.Object({ changed: Type.Boolean() }),
      },
      /** Mails the person who asks a token that verifies their address. */
      sendVerification: { params: {}, returns: Accepted },
      /** Records that the owner of the account reads its mailbox. */
      verifyEmail: { params: { token: mailedToken }, returns: Type.Object({ verified: Type.Boolean() }) },
      /** The keys of access tokens, the newest first. */
      signingKeys: { params: {}, returns: Keys },
      /**
       * Publishes a key that signs in ten minutes. Until then a repetition changes nothing. Nobody is logged out. `stolen`: the
       * new key signs at once, and those before it verify nothing any more; clients refresh their access tokens.
       */
      rotateKeys: { params: { stolen: Type.Optional(Type.Boolean()) }, returns: Keys },
      ...keyContract.actions,
      ...browserSessions.actions,
      ...exchangeContract.actions,
      ...answerActions,
      /**
       * Changes the own account: the name. `unchanged` is what the client has of the other fields: refused when it
       * differs. A call without a person, or for another one, is refused.
       */
      changeProfile: {
        params: {
          person: id,
          name: Type.Optional(TextLine({ maxLength: 200, personal: true })),
          unchanged: Type.Optional(strictObject(fixedFields)),
          if: Type.Optional(Conditions),
        },
        returns: Person,
      },
      /** The public keys of access tokens, RFC 7517. */
      jwks: { params: {}, returns: Type.Object({ keys: Type.Array(Type.Record(Type.String(), Type.Unknown())) }) },
    },
    refusals: accountErrors,
    mayRefuse: {
      register: ["EMAIL_TAKEN", "WEAK_PASSWORD", "TOO_MANY_REGISTRATIONS", "BUSY"],
      login: ["BAD_CREDENTIALS", "TOO_MANY_ATTEMPTS", "BUSY"],
      refresh: ["BAD_REFRESH_TOKEN"],
      logout: [],
      get: ["USER_NOT_FOUND"],
      list: [],
      setRoles: ["USER_NOT_FOUND", "LAST_ADMINISTRATOR", "SESSION_OVER"],
      sessions: [],
      endSession: ["SESSION_NOT_FOUND", "SESSION_OVER"],
      endSessions: ["SESSION_OVER"],
      changePassword: ["WRONG_PASSWORD", "WEAK_PASSWORD", "TOO_MANY_ATTEMPTS", "BUSY", "SESSION_OVER"],
      forgotPassword: ["TOO_MANY_MAILS"],
      resetPassword: ["BAD_TOKEN", "TOKEN_USED", "TOKEN_EXPIRED", "WEAK_PASSWORD", "BUSY"],
      sendVerification: ["USER_NOT_FOUND", "EMAIL_ALREADY_VERIFIED", "TOO_MANY_MAILS", "SESSION_OVER"],
      verifyEmail: ["BAD_TOKEN", "TOKEN_USED", "TOKEN_EXPIRED"],
      signingKeys: [],
      rotateKeys: ["SESSION_OVER"],
      ...keyContract.mayRefuse,
      ...browserSessions.mayRefuse,
      ...exchangeContract.mayRefuse,
      changeProfile: ["USER_NOT_FOUND", "SESSION_OVER"],
      jwks: [],
      claimAnswer: [],
      finishAnswer: [],
      releaseAnswer: [],
    },
    // Everybody who is logged in has `account:*`: their own.
    permissions: {
      get: "account:read",
      list: "accounts:read",
      setRoles: "accounts:write",
      changeProfile: "account:write",
      sessions: "account:read",
      endSession: "account:write",
      endSessions: "account:write",
      changePassword: "account:write",
      sendVerification: "account:write",
      signingKeys: "accounts:read",
      rotateKeys: "accounts:write",
      createApiKey: "account:write",
      apiKeys: "account:read",
      revokeApiKey: "account:write",
      readSession: "account:read",
      // For the gateway alone.
      exchange: false,
      claimAnswer: false,
      finishAnswer: false,
      releaseAnswer: false,
    },
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
