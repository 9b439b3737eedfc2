// Whether what is shown follows the shop, and as of when.
import { liveState, Status, Time, type LiveState, type Tone } from "../../kit/index.ts";

const TONES: Readonly<Record<LiveState, Tone>> = {
  connecting: "idle",
  live: "good",
  paused: "idle",
  reconnecting: "warn",
};

export function LiveBar() {
  const { state, asOf } = liveState.value;
  return (
    <p class="live small soft">
      <span role="status">
        <Status tone={TONES[state]}>{state}</Status>
      </span>
      {asOf !== undefined && state !== "live" && (
        <span>
          as of <Time at={asOf} />
        </span>
      )}
      {asOf !== undefined && state === "live" && (
        <span class="now">
          as of <Time at={asOf} shows="clock" />
        </span>
      )}
    </p>
  );
}
