// A page whose code is loaded when it is needed. Where it does not come, the page says so and has a way on.
import type { ComponentType } from "preact";
import { lazy } from "preact-iso";
import { isBrowser } from "./prerendered.ts";
import { Failure } from "./states.tsx";

interface Code {
  readonly default: ComponentType;
}
const NOT_LOADED: Code = { default: NotLoaded };

/** `load` answers nothing while the page is loaded anew (`reload.ts`). */
export const page = (load: () => Promise<Code | undefined>) =>
  lazy(() =>
    load().then(
      code => code ?? NOT_LOADED,
      error => {
        // A build fails.
        if (!isBrowser) throw error;
        return NOT_LOADED;
      },
    ),
  );

function NotLoaded() {
  return (
    <>
      <h1 class="unseen">This page did not load</h1>
      <Failure
        error={{ message: "This page did not load: the shop does not answer" }}
        onRetry={() => location.reload()}
      />
    </>
  );
}
