// The time that each step of the pipeline takes, without the steps behind it. It holds for one request at a time: with
// several, a step's time includes the others' turns of the loop.
import { STEPS, type GatewayService } from "@valence/runtime/gateway/mixin";
import { median } from "../harness.ts";

type Step = GatewayService["pipeline"][number];

export interface StepCost {
  readonly step: string;
  /** Microseconds at the median. */
  readonly us: number;
}

export class Stopwatch {
  readonly #times = new Map<string, number[]>();

  /** The same steps, each measured. */
  wrap(steps: readonly Step[]): readonly Step[] {
    let behind = 0;
    return steps.map((step, at): Step => {
      const times: number[] = [];
      this.#times.set(STEPS[at]!, times);
      const measured: Step = async (exchange, next) => {
        const began = performance.now();
        behind = 0;
        try {
          return await step(exchange, async () => {
            const left = performance.now();
            try {
              return await next();
            } finally {
              behind = performance.now() - left;
            }
          });
        } finally {
          const whole = performance.now() - began;
          times.push((whole - behind) * 1_000);
        }
      };
      return step.isFor ? Object.assign(measured, { isFor: step.isFor }) : measured;
    });
  }

  costs(): readonly StepCost[] {
    // A step that the measured route does not have costs it nothing.
    return [...this.#times]
      .filter(([, times]) => times.length > 0)
      .map(([step, times]) => ({ step, us: median(times) }));
  }
}
