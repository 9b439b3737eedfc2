import { type ChildProcess } from "node:child_process";
export declare function freePort(): Promise<number>;
/** Waits for a condition, with a deadline that says what was waited for. */
export declare function until(what: string, condition: () => boolean | Promise<boolean>, withinMs?: number): Promise<void>;
/** A process of ours, with what it wrote. */
export declare class Child {
    readonly process: ChildProcess;
    output: string;
    constructor(args: readonly string[], env: Record<string, string>);
    get running(): boolean;
    /** Sends the signal and waits for the end. Resolves with the exit code, null when a signal ended it. */
    end(signal: NodeJS.Signals): Promise<number | null>;
}
export interface Answer<T = any> {
    readonly status: number;
    readonly body: T;
    readonly headers: Headers;
}
export declare class Shop {
    /** Of the next start. */
    readonly env: Record<string, string>;
    readonly url: string;
    child: Child;
    private constructor();
    static start(env: Record<string, string>): Promise<Shop>;
    /** Starts the process; `failpoints` arms it. Resolves when it is ready to serve. */
    start(failpoints?: string): Promise<void>;
    /** Rejects when it is cut off, or with a TimeoutError when no answer comes. */
    request<T = any>(method: string, path: string, { body, token, headers }?: {
        body?: unknown;
        token?: string;
        headers?: Record<string, string>;
    }): Promise<Answer<T>>;
    /** Registers a customer and logs in. */
    customer(name: string): Promise<string>;
    login(email: string, password: string): Promise<string>;
    stop(): Promise<void>;
}
export declare const ADDRESS: {
    name: string;
    line1: string;
    city: string;
    postalCode: string;
    country: string;
};
export declare const orderOf: (lines: {
    productId: string;
    quantity: number;
}[], token?: string) => {
    lines: {
        productId: string;
        quantity: number;
    }[];
    shippingAddress: {
        name: string;
        line1: string;
        city: string;
        postalCode: string;
        country: string;
    };
    payment: {
        method: string;
        token: string;
    };
};
