// How an error is told over HTTP: `application/problem+json` (RFC 9457).

export const PROBLEM_JSON = "application/problem+json";

/** The `type` of a code's problem: `ORDER_NOT_FOUND` is `/problems/order-not-found`. */
export const problemType = (code: string): string => `/problems/${code.toLowerCase().replaceAll("_", "-")}`;
