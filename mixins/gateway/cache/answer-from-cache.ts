import type { Parts, Step } from "../exchange.ts";

export const answerFromCache =
  (_parts: Parts): Step =>
  (_exchange, next) =>
    next();
