import type { Parts, Step } from "../exchange.ts";

export const answerOnce =
  (_parts: Parts): Step =>
  (_exchange, next) =>
    next();
