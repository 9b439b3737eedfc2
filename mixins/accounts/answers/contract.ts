// The actions by which gateways keep first answers to Idempotency-Keys where there is no Redis. They are between services:
// no route names them.
import Type from "typebox";
import { limits as gatewayLimits } from "../../gateway/index.ts";

const hash = Type.String({ minLength: 1, maxLength: 64 });
const own = { scope: hash, owner: hash };

export const answerActions = {
  /** Claims a key for a lease; see the gateway's `AnswerStore`. */
  claimAnswer: {
    params: { ...own, fingerprint: hash, leaseMs: Type.Integer({ minimum: 1, maximum: 3_600_000 }) },
    returns: Type.Union([
      Type.Object({ state: Type.Enum(["owned", "other"]) }),
      Type.Object({ state: Type.Literal("running"), endsInMs: Type.Number() }),
      Type.Object({ state: Type.Literal("done"), answer: Type.Optional(Type.String()) }),
    ]),
  },
  /** Keeps the answer; `kept` is false when the key is another's by now. */
  finishAnswer: {
    params: { ...own, answer: Type.Optional(Type.String({ maxLength: gatewayLimits.answerBytesMax })) },
    returns: Type.Object({ kept: Type.Boolean() }),
  },
  /** Gives a key back. */
  releaseAnswer: { params: own, returns: Type.Object({ released: Type.Boolean() }) },
};
