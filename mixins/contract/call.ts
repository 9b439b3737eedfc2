import { COMMAND_ID } from "../kernel/index.ts";
import type { ActionName, ParamsOf, ResultOf } from "./contract.ts";

export interface CallOptions {
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
  return ((action: string, params: unknown, { commandId, timeoutMs, headers, meta }: CallOptions = {}) =>
    floating(
      (caller as Caller).call(action, params, {
        ...(timeoutMs !== undefined && { timeout: timeoutMs }),
        ...(meta && { meta }),
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
