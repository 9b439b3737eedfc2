// API keys in the contract of accounts.
import Type, { type Static } from "typebox";
import { TextLine } from "../../contract/index.ts";
import { limits } from "../limits.ts";
import { paged } from "../pages.ts";

const id = Type.String({ format: "uuid" });
/** A permission that the key is narrowed to: `<thing>:<word>`, or all words of a thing. */
const scope = Type.String({
  pattern: "^[a-z][a-z\\d-]{0,63}:(\\*|[a-z][a-z\\d-]{0,63})$",
  maxLength: 129,
  examples: ["account:read"],
});
const moment = Type.String({ format: "date-time", maxLength: 40 });

/** A key as it is shown. The key itself is shown once, when it is made. */
export const ApiKey = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    scopes: Type.Array(Type.String()),
    createdAt: Type.String(),
    expiresAt: Type.String(),
    /** To the minute; absent for a key that has never been used. */
    lastUsedAt: Type.Optional(Type.String()),
  },
  { title: "ApiKey" },
);
export type ApiKey = Static<typeof ApiKey>;

export const keyContract = {
  actions: {
    /** Makes a key for the person who asks. Not repeatable: the key is in this answer alone. */
    createApiKey: {
      params: {
        name: TextLine({ maxLength: 100 }),
        scopes: Type.Array(scope, { minItems: 1, maxItems: limits.apiKeyScopesMax, uniqueItems: true }),
        expiresAt: Type.Optional(moment),
      },
      returns: Type.Object({ ...ApiKey.properties, key: Type.String() }),
    },
    /** A person's keys, the newest first: to themselves and to administrators. */
    apiKeys: {
      params: { user: id, ...paged },
      returns: Type.Object({ rows: Type.Array(ApiKey), nextCursor: Type.Optional(Type.String()) }),
    },
    /** Ends a person's key at once: for themselves and for administrators. */
    revokeApiKey: { params: { user: id, id }, returns: Type.Object({ revoked: Type.Boolean() }) },
  },
  mayRefuse: {
    createApiKey: ["TOO_MANY_KEYS", "BAD_KEY_EXPIRY", "SESSION_OVER"],
    apiKeys: ["USER_NOT_FOUND"],
    revokeApiKey: ["KEY_NOT_FOUND", "SESSION_OVER"],
  },
} as const;
