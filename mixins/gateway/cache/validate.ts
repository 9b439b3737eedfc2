// Conditional reads (RFC 9110, 13), and the validators of an answer that has a version or is kept.
import type { Answer, Exchange, Step } from "../exchange.ts";
import { encodingOf } from "../../http/siblings.ts";
import { isUnchanged, refuseConditions, validatorHeaders, validatorsOf, type Validators } from "./conditions.ts";

export const validate = (): Step => async (exchange, next) => {
  const answer = await next();
  const { route, req, res, conditions } = exchange;
  if (!answer || !("action" in route.target)) return answer;
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
};

/** Tag and date of the answer; undefined for a resource without a version. */
export function validatorsIn({ route: { target } }: Exchange, answer: Answer): Validators | undefined {
  if (!("action" in target) || answer.status === 204) return undefined;
  return target.versioned || target.cache ? validatorsOf(answer.result, answer.body) : undefined;
}
