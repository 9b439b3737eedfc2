// The words between an operator's terminal and a process: a JSON value a line.
import type { Socket } from "node:net";

const limits = {
  /** Characters of a line: an answer of a whole page of events fits. More ends the connection. */
  lineMax: 32 * 1_024 * 1_024,
};

/** The first line of the terminal. */
export interface Hello {
  /** Who acts: the name of the operating system's user, as the terminal knows it. */
  readonly user: string;
  /** Narrows what the operator may do; default: all. */
  readonly scopes?: readonly string[];
  /** Access token of a person: it acts in their name, here and on other nodes, which believe no name alone where nodes have keys. */
  readonly token?: string;
}
/** The first line of the process. */
export interface Welcome {
  readonly nodeId: string;
  readonly pid: number;
  /** Id of the person who acts. */
  readonly as: string;
  /** Whether other nodes answer nothing, since they ask for a token. */
  readonly isAlone: boolean;
}

export type Question = { readonly id: number } & (
  | { readonly call: string; readonly params?: object; readonly options?: { readonly nodeID?: string } }
  | { readonly emit: "emit" | "broadcast" | "broadcastLocal"; readonly event: string; readonly payload?: unknown }
  /** A list of Moleculer's registry. */
  | { readonly list: RegistryList; readonly options?: object }
  | { readonly names: true }
);
export const REGISTRY_LISTS = ["getNodeList", "getServiceList", "getActionList", "getEventList"] as const;
export type RegistryList = (typeof REGISTRY_LISTS)[number];

export type Answer =
  | { readonly id: number; readonly answer?: unknown }
  | { readonly id: number; readonly error: PlainError }
  /** The process stops. */
  | { readonly bye: string };
export interface PlainError {
  readonly message: string;
  readonly name?: string;
  readonly type?: string;
  readonly code?: number | string;
  readonly retryable?: boolean;
  readonly data?: unknown;
}

export const send = (socket: Socket, value: object): void => {
  if (socket.writable) socket.write(`${JSON.stringify(value)}\n`);
};

/** Hands over each line that arrives; a line that is too long, or no JSON, ends the connection. */
export function readLines(socket: Socket, take: (value: any) => void): void {
  let rest = "";
  socket.setEncoding("utf8");
  socket.on("data", (chunk: string) => {
    // Searched from where the last search ended: a long line arrives in many parts.
    const lines = chunk.split("\n");
    lines[0] = rest + lines[0]!;
    rest = lines.pop()!;
    if (rest.length > limits.lineMax) return socket.destroy();
    for (const line of lines) {
      try {
        take(JSON.parse(line));
      } catch {
        return socket.destroy();
      }
    }
  });
}
