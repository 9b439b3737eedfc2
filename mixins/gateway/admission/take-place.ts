// Bounds the calls that this gateway has at work, in all (`admission.ts`) and for each service (`entrance.ts`).
import type { Parts, Step } from "../exchange.ts";

export const takePlace =
  ({ admission }: Parts): Step =>
  ({ address, req: { $turn }, res }, next) =>
    admission.run(address, res, () => ($turn ? $turn.work(next) : next()));
