// Data of the server on a screen. Old rows stay until newer ones have come; loading is said after 150 ms, so that a quick answer
// does not flicker; an error keeps what is there, with its age.
import { useSignal } from "@preact/signals";
import { useCallback, useEffect, useRef } from "preact/hooks";
import type { ComponentChildren } from "preact";
import { givenData } from "./prerendered.ts";
import { Failure, SkeletonRows } from "./states.tsx";

export interface Resource<T> {
  /** Undefined until the first answer. */
  readonly data: T | undefined;
  /** RFC 3339: when `data` came. */
  readonly asOf: string | undefined;
  readonly error: Failed | undefined;
  /** A request has taken longer than 150 ms. */
  readonly isLoading: boolean;
  /** Asks again. */
  readonly reload: () => void;
  /** Shows what the server has just answered to a change. */
  readonly set: (data: T) => void;
}
interface Failed {
  readonly message: string;
  readonly status?: number | undefined;
  readonly code?: string | undefined;
  readonly requestId?: string | undefined;
}

/** Milliseconds before loading is said. */
const SAID_AFTER_MS = 150;

/**
 * Loads now, and again whenever `key` changes; an older request is aborted then. Data of another key does not stay: it would be
 * taken for that of this one, unless `keeps` says that the old rows are as good. A page that came with the data of its key shows that
 * until the answer.
 */
export function useResource<T>(
  key: string,
  load: (signal: AbortSignal) => Promise<T>,
  { keeps = false }: { readonly keeps?: boolean } = {},
): Resource<T> {
  const given = useRef(givenData(key) as T | undefined);
  const state = useSignal<Omit<Resource<T>, "reload" | "set">>({ ...NOTHING, data: given.current });
  const running = useRef<AbortController>(undefined);
  const latest = useRef(load);
  latest.current = load;

  const reload = useCallback(() => {
    running.current?.abort();
    const controller = new AbortController();
    running.current = controller;
    const timer = setTimeout(() => (state.value = { ...state.peek(), isLoading: true }), SAID_AFTER_MS);
    latest
      .current(controller.signal)
      .then(data => {
        if (!controller.signal.aborted) state.value = { ...NOTHING, data, asOf: new Date().toISOString() };
      })
      .catch((error: Failed) => {
        if (!controller.signal.aborted) state.value = { ...state.peek(), error, isLoading: false };
      })
      .finally(() => clearTimeout(timer));
    controller.signal.addEventListener("abort", () => clearTimeout(timer));
  }, []);

  useEffect(() => {
    if (!keeps && given.current === undefined) state.value = NOTHING;
    given.current = undefined;
    reload();
    return () => running.current?.abort();
  }, [key]);

  const set = useCallback((data: T) => void (state.value = { ...NOTHING, data, asOf: new Date().toISOString() }), []);
  return { ...state.value, reload, set };
}
const NOTHING = { data: undefined, asOf: undefined, error: undefined, isLoading: false };

/** Shows a resource in each of its states; `children` gets the data. `skeleton`: what stands there before the first answer. */
export function Loaded<T>({
  of,
  skeleton = <SkeletonRows />,
  children,
}: {
  readonly of: Resource<T>;
  readonly skeleton?: ComponentChildren | undefined;
  readonly children: (data: T) => ComponentChildren;
}) {
  const { data, error, asOf, isLoading, reload } = of;
  return (
    <>
      {error && <Failure error={error} asOf={data === undefined ? undefined : asOf} onRetry={reload} />}
      {data === undefined ? isLoading && !error && skeleton : children(data)}
    </>
  );
}
