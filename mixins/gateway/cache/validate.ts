// Conditional reads (RFC 9110, 13), and the validators of an answer that has a version.
import type { Answer, Step } from "../exchange.ts";
import {
  isUnchanged,
  refuseConditions,
  validatorHeaders,
  validatorsOf,
  variantTag,
  type Validators,
} from "./conditions.ts";

export const validate = (): Step => async (exchange, next) => {
  const answer = await next();
  const { route, req, conditions } = exchange;
  if (!answer || !("action" in route.target)) return answer;
  const validators = route.target.versioned && answer.status !== 204 ? validatorsFor(answer) : undefined;
  const headers = { ...answer.headers, ...(validators && validatorHeaders(validators)) };
  if (req.method === "GET") {
    if (validators && isUnchanged(req.headers, conditions, validators))
      return { ...answer, status: 304, headers, body: undefined };
    if (!validators && conditions?.match) refuseConditions({ match: conditions.match });
  }
  return { ...answer, headers };
};

function validatorsFor({ result, variant }: Answer): Validators {
  const validators = validatorsOf(result);
  return variant === undefined ? validators : { ...validators, tag: variantTag(validators.tag, variant) };
}
