import { COMMAND_ID } from "../kernel/index.ts";
import type { Meta } from "./define-service.ts";
import type { ActionName, EventMetadata, ParamsOf, ResultOf } from "./contract.ts";

/**
 * The cause of a call that a service makes when nobody waits for it, as a saga or a reactor does: the events of the call tell it.
 * It is a record and no permission: `meta.user` alone says what a call may do.
 */
export interface Behalf extends Pick<EventMetadata, "user" | "key" | "requestId"> {
  /** The service that calls. */
  readonly caller: string;
}

export interface CallOptions {
  /** For whom, and since which request, it is made; for calls that are not part of another one. */
  readonly behalf?: Behalf;
  /** Command id of the call. Travels in headers, not in meta, since nested calls inherit meta. */
  readonly commandId?: string;
  readonly timeoutMs?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly meta?: Readonly<Record<string, unknown>>;
}

/** `call("loyalty.redeem", params)`: params and result follow from the contract of the service that is named. */
export type Call = <A extends ActionName>(
  action: A,
  params: ParamsOf<A>,
  options?: CallOptions,
) => Promise<ResultOf<A>>;

interface Caller {
  call(action: string, params: unknown, options: object): Promise<unknown>;
}

/** A typed `call` on a broker or a context. */
export function typedCall(caller: object): Call {
  return ((action: string, params: unknown, { behalf, commandId, timeoutMs, headers, meta }: CallOptions = {}) =>
    floating(
      (caller as Caller).call(action, params, {
        ...(timeoutMs !== undefined && { timeout: timeoutMs }),
        ...(meta && { meta }),
        ...(behalf && onBehalf(behalf, meta)),
        ...((headers || commandId !== undefined) && {
          headers: { ...headers, ...(commandId !== undefined && { [COMMAND_ID]: commandId }) },
        }),
      }),
    )) as Call;
}

/** The same promise. A rejection that the author's code does not wait for would otherwise end the process. */
export function floating<T>(call: Promise<T>): Promise<T> {
  call.catch(() => {});
  return call;
}

/** The part of an event's cause that a service which acts on the event hands on. */
export const behalfOf = (caller: string, { user, key, requestId }: EventMetadata): Behalf => ({
  caller,
  ...(user !== undefined && { user }),
  ...(key !== undefined && { key }),
  ...(requestId !== undefined && { requestId }),
});

/** In meta, since an action's own calls are on the same behalf. */
function onBehalf({ caller, requestId, user, key }: Behalf, meta: CallOptions["meta"]): object {
  return {
    caller,
    ...(requestId !== undefined && { requestID: requestId }),
    ...(user !== undefined && { meta: { ...meta, onBehalf: { user, ...(key !== undefined && { key }) } } }),
  };
}

/** Longest id that is taken over from a call. */
const ID_LENGTH = 200;
const isId = (value: unknown): value is string =>
  typeof value === "string" && value.length > 0 && value.length <= ID_LENGTH;

/**
 * The person behind a call, for its events: whoever asks for it; else the person on whose behalf a service says that it calls.
 * Another node may write anything into a meta: what is no id is passed over.
 */
export function personBehind({ user, onBehalf }: Meta): Pick<EventMetadata, "user" | "key"> {
  const { id, key } = user ?? { id: onBehalf?.user, key: onBehalf?.key };
  return isId(id) ? { user: id, ...(isId(key) && { key }) } : {};
}
