import type { Parts, Step } from "../exchange.ts";

export const setDeadline =
  (_parts: Parts): Step =>
  (_exchange, next) =>
    next();
