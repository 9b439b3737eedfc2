// Browser sessions in the contract of accounts.
import Type, { type TSchema } from "typebox";
import { KnownEmailAddress } from "../../contract/index.ts";

/** A password as it is typed: one character of it may be four code points on another system. */
const typedPassword = Type.String({ minLength: 1, maxLength: 512 });
const value = Type.String({ minLength: 1, maxLength: 200, writeOnly: true });

/** `person`: the schema of a person. */
export const browserSessionContract = <P extends TSchema>(person: P) => ({
  actions: {
    /**
     * Logs a browser in. The value of its cookie is in the answer's meta (`SESSION_OPENED`), not in the answer.
     * `replaces`: the value that the cookie had; its session ends.
     */
    openSession: {
      params: { email: KnownEmailAddress(), password: typedPassword, replaces: Type.Optional(value) },
      returns: Type.Object({
        user: person,
        /** The session's absolute end. */
        expiresAt: Type.String(),
      }),
    },
    /** The person who asks, as they are now. */
    readSession: { params: {}, returns: Type.Object({ user: person }) },
    /** Ends the session of a cookie's value. May be repeated: it is over either way. */
    closeSession: { params: { session: Type.Optional(value) }, returns: Type.Object({ closed: Type.Boolean() }) },
  },
  mayRefuse: {
    openSession: ["BAD_CREDENTIALS", "TOO_MANY_ATTEMPTS", "BUSY"],
    readSession: ["USER_NOT_FOUND"],
    closeSession: [],
  } as const,
});
