import type { Parts, Step } from "../exchange.ts";

export const enter =
  (_parts: Parts): Step =>
  (_exchange, next) =>
    next();
