import type { Parts, Step } from "../exchange.ts";

export const represent =
  (_parts: Parts): Step =>
  (_exchange, next) =>
    next();
