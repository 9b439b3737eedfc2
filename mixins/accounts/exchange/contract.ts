// The exchange of credentials in the contract of accounts.
import Type from "typebox";

export const exchangeContract = {
  actions: {
    /**
     * An access token of ours for another credential: an API key, the value of a session's cookie, or an access token of the
     * external issuer. The token is short-lived, and says no more than the credential opens (`scope`, `sid`). Gateways call
     * it, and remember the token until shortly before its end.
     */
    exchange: {
      params: {
        kind: Type.Enum(["key", "session", "oidc"]),
        credential: Type.String({ minLength: 1, maxLength: 16_384, writeOnly: true }),
      },
      returns: Type.Object({ token: Type.String() }),
    },
  },
  mayRefuse: { exchange: ["BAD_CREDENTIAL", "BUSY"] },
} as const;
