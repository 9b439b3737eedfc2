// Conditional reads (RFC 9110, 13), and the validators of an answer that has a version or is kept.
import { stepFor, type Answer, type Exchange, type Step } from "../exchange.ts";
import type { Route } from "../route/route.ts";
import { encodingOf } from "../../http/siblings.ts";
import { isUnchanged, refuseConditions, validatorHeaders, validatorsOf, type Validators } from "./conditions.ts";

export const validate = (): Step =>
  stepFor(hasValidators, async (exchange, next) => {
    const answer = await next();
    const { req, res, conditions } = exchange;
    if (!answer) return undefined;
    const validators = validatorsIn(exchange, answer);
    const headers = { ...answer.headers, ...(validators && validatorHeaders(validators)) };
    if (req.method === "GET") {
      if (validators) {
        // Only a list of tags depends on the encoding, which the text of the whole answer decides about.
        const encoding = conditions?.noneMatch && encodingOf(res, answer.body, headers);
        return { ...answer, headers, isUnchanged: isUnchanged(req.headers, conditions, validators, encoding) };
      }
      if (conditions?.match) refuseConditions({ match: conditions.match });
    }
    return { ...answer, headers };
  });

/** A read without a version, too, may be asked for by conditions. */
const hasValidators = ({ method, target }: Route): boolean =>
  "action" in target && (method === "GET" || target.versioned || target.cache !== undefined);

/** Tag and date of the answer; undefined for a resource without a version. */
export function validatorsIn({ route: { target } }: Exchange, answer: Answer): Validators | undefined {
  if (!("action" in target) || answer.status === 204) return undefined;
  return target.versioned || target.cache ? validatorsOf(answer.result, answer.body) : undefined;
}
