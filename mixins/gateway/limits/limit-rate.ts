import type { Parts, Step } from "../exchange.ts";

export const limitRate =
  (_parts: Parts): Step =>
  (_exchange, next) =>
    next();
