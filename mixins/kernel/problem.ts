// The form of an error over HTTP: `application/problem+json` (RFC 9457).

export const PROBLEM_JSON = "application/problem+json";

/** The `type` of a code's problem: `VALIDATION_ERROR` is `/problems/validation-error`. */
export const problemType = (code: string): string => `/problems/${code.toLowerCase().replaceAll("_", "-")}`;
