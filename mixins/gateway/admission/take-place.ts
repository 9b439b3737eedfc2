// Bounds the calls that this gateway has at work; see `admission.ts`.
import type { Parts, Step } from "../exchange.ts";

export const takePlace =
  ({ admission }: Parts): Step =>
  ({ address, res }, next) =>
    admission.run(address, res, next);
