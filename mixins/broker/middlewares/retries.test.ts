import { describe, expect, jest, test } from "@jest/globals";
import { Errors, type ServiceBroker } from "moleculer";
import { COMMAND_ID, Refusal, REPEATED, Unavailable } from "../../kernel/index.ts";
import { RetryBudgets } from "./retry-budget.ts";
import { retries } from "./retries.ts";

/** The parts of a broker that the middleware uses: two nodes offer the action. */
const cluster = {
  transit: {},
  options: { requestTimeout: 1_000 },
  registry: {
    actions: new Map([["a.b", { endpoints: ["n1", "n2"].map(id => ({ id, local: false, isAvailable: true })) }]]),
  },
};
const broker = cluster as unknown as ServiceBroker;

interface Sent {
  timeout?: number;
  headers?: Record<string, string>;
  tried?: Set<string>;
}
const rejected = () => new Errors.RequestRejectedError({ action: "a.b", nodeID: "n1" });
const undelivered = () => new Errors.ServiceNotAvailableError({ action: "a.b", nodeID: "n1" });
/** No node offers the action: Moleculer makes no context. */
const noNode = new Errors.ServiceNotAvailableError({ action: "a.b" });
const late = () => new Errors.RequestTimeoutError({ action: "a.b", nodeID: "n1" });

/** Calls an action whose attempts end in these ways, one after the other. */
function calling(ends: readonly unknown[], { repeatable = true, own = undefined as Sent | undefined } = {}) {
  const sent: Sent[] = [];
  const next = (_action: unknown, _params: unknown, options: Sent = {}) => {
    const end = ends[Math.min(sent.length, ends.length - 1)];
    sent.push(options);
    // As the middleware itself does when a command leaves the node.
    const headers = { [COMMAND_ID]: "auto:1", ...options.headers };
    const called: any = end instanceof Error ? Promise.reject(end) : Promise.resolve(end);
    const nodeID = `n${sent.length}`;
    if (end !== noNode)
      called.ctx = { action: { name: "a.b", repeatable }, nodeID, options, headers, meta: { answeredBy: nodeID } };
    return called;
  };
  const answer = retries(broker).call(next as never)("a.b", {}, own);
  return { answer, sent };
}

test("a call that reached no node is sent to another one", async () => {
  const { answer, sent } = calling([undelivered(), "done"], { repeatable: false });
  expect(await answer).toBe("done");
  expect(sent.map(({ tried }) => tried && [...tried])).toEqual([undefined, ["n1"]]);
});

test("the caller gets the meta of the attempt that was answered", async () => {
  const { answer } = calling([undelivered(), undelivered(), "done"]);
  await answer;
  expect(answer.ctx).toMatchObject({ meta: { answeredBy: "n3" } });
});

describe("what a node lacks and another may have", () => {
  const lacking = () => new Unavailable("NOT_CAUGHT_UP", { retryAfterMs: 700, elsewhere: true });

  test("each of the others is asked once, whatever is asked", async () => {
    const { answer, sent } = calling([lacking(), "done"], { repeatable: false });
    expect(await answer).toBe("done");
    expect(sent.map(({ tried }) => tried && [...tried])).toEqual([undefined, ["n1"]]);
  });

  test("when all lack it the caller is told, and a hop before this one does not begin anew", async () => {
    const { answer, sent } = calling([lacking(), lacking(), "never"]);
    const failure = await answer.catch((error: unknown) => error);
    expect(failure).toMatchObject({ type: "NOT_CAUGHT_UP", data: { outcome: "none", retryAfterMs: 700 } });
    expect(sent).toHaveLength(2);
    expect(await calling([failure, "never"]).answer.catch((error: unknown) => error)).toBe(failure);
  });

  test("a plain unavailable answer is an answer", async () => {
    const { answer, sent } = calling([new Unavailable("NOT_CAUGHT_UP"), "never"]);
    await expect(answer).rejects.toMatchObject({ type: "NOT_CAUGHT_UP" });
    expect(sent).toHaveLength(1);
  });
});

test("a node that is leaving is one more that did nothing", async () => {
  expect(await calling([new Unavailable("MOVED"), "done"], { repeatable: false }).answer).toBe("done");
});

describe("a node that cannot read the actor's events", () => {
  const unreadable = () => new Unavailable("UNREADABLE_HERE", { retryAfterMs: 1_000, elsewhere: true });

  test("is one more that did nothing: another may", async () => {
    const { answer, sent } = calling([unreadable(), "done"], { repeatable: false });
    expect(await answer).toBe("done");
    expect(sent.map(({ tried }) => tried && [...tried])).toEqual([undefined, ["n1"]]);
  });

  test("is not asked again when no other is left", async () => {
    const { answer, sent } = calling([unreadable()]);
    await expect(answer).rejects.toMatchObject({ type: "UNREADABLE_HERE", code: 503, data: { outcome: "none" } });
    expect(sent).toHaveLength(2);
  });

  test("says so for a command that may be stored as well: only what is repeatable is sent on", async () => {
    const stored = () => new Unavailable("UNREADABLE_HERE", { outcome: "unknown", elsewhere: true });
    expect(await calling([stored(), "done"]).answer).toBe("done");
    const other = calling([stored(), "done"], { repeatable: false });
    await expect(other.answer).rejects.toMatchObject({ data: { outcome: "unknown" } });
    expect(other.sent).toHaveLength(1);
  });
});

test.each(["UNREADABLE_HERE", "MOVED"])(
  "%s that an inner call has given up is passed on: it is not tried at every node by every hop",
  async type => {
    const inner = calling([new Unavailable(type)]);
    const givenUp = await inner.answer.catch((error: unknown) => error);
    const { answer, sent } = calling([givenUp, "done"]);
    await expect(answer).rejects.toBe(givenUp);
    expect(sent).toHaveLength(1);
  },
);

test("a command that a node died with is repeated under its id, and marked; anything else is not repeated", async () => {
  const { answer, sent } = calling([rejected(), "done"]);
  expect(await answer).toBe("done");
  expect(sent[1]!.headers).toEqual({ [COMMAND_ID]: "auto:1", [REPEATED]: "1" });
  const other = calling([rejected()], { repeatable: false });
  await expect(other.answer).rejects.toMatchObject({
    type: "REQUEST_REJECTED",
    code: 504,
    data: { outcome: "unknown" },
  });
  expect(other.sent).toHaveLength(1);
});

test("while no node has the action, the time that the caller gives is the deadline", async () => {
  const { answer, sent } = calling([noNode], { own: { timeout: 60 } });
  await expect(answer).rejects.toMatchObject({ type: "SERVICE_NOT_AVAILABLE", data: { outcome: "none" } });
  expect(sent.slice(1).map(({ timeout }) => timeout! <= 60)).not.toContain(false);
  expect(sent.length).toBeLessThan(8);
});

test("a command keeps the id under which it may have taken effect, also past a moment without any node", async () => {
  const { answer, sent } = calling([rejected(), noNode, "done"]);
  expect(await answer).toBe("done");
  expect(sent[2]!.headers).toEqual({ [COMMAND_ID]: "auto:1", [REPEATED]: "1" });
});

describe("once an attempt may have taken effect, no later failure says that nothing happened", () => {
  test.each([
    ["that reached no node", undelivered()],
    ["of the actor", new Unavailable("MAILBOX_FULL")],
  ])("one %s", async (_name, second) => {
    const { answer } = calling([rejected(), second]);
    await expect(answer).rejects.toMatchObject({ type: second.type, data: { outcome: "unknown" } });
  });
});

test.each([
  ["a refusal", new Refusal("NO")],
  ["a full mailbox", new Unavailable("MAILBOX_FULL")],
  ["an outcome that an inner call left open", new Unavailable("REQUEST_REJECTED", { outcome: "unknown" })],
])("%s is an answer and is passed on as it is", async (_name, error) => {
  const { answer, sent } = calling([error]);
  await expect(answer).rejects.toBe(error);
  expect(sent).toHaveLength(1);
});

test("a time-out leaves nothing to repeat with", async () => {
  const { answer, sent } = calling([late()]);
  await expect(answer).rejects.toMatchObject({ type: "REQUEST_TIMEOUT", code: 504, data: { outcome: "unknown" } });
  expect(sent).toHaveLength(1);
});

test("attempts are counted, and end with the deadline", async () => {
  const { answer, sent } = calling([undelivered()]);
  await expect(answer).rejects.toMatchObject({ type: "SERVICE_NOT_AVAILABLE", code: 503, data: { outcome: "none" } });
  expect(sent.length).toBeGreaterThan(2);
  expect(sent.length).toBeLessThanOrEqual(8);
  const timeouts = sent.map(({ timeout }) => timeout).filter(timeout => timeout !== undefined);
  expect([...timeouts].sort((a, b) => b - a)).toEqual(timeouts);
});

test("without a bus there is no other node: the call fails at once", async () => {
  const next = jest.fn(() => Promise.reject(undelivered()));
  const alone = { ...cluster, transit: undefined } as unknown as ServiceBroker;
  await expect(retries(alone).call(next as never)("a.b", {})).rejects.toBeInstanceOf(Unavailable);
  expect(next).toHaveBeenCalledTimes(1);
});

test("a service that fails wholly is asked hardly more often than it is called: no storm", async () => {
  const budgets = new RetryBudgets();
  const withBudgets = retries(broker, budgets);
  let sent = 0;
  const next = (_action: unknown, _params: unknown, options: Sent = {}) => {
    const called: any = Promise.reject(rejected());
    called.ctx = {
      action: { name: "a.b", repeatable: true },
      nodeID: `n${++sent % 2}`,
      options,
      headers: {},
      meta: {},
    };
    return called;
  };
  const call = withBudgets.call(next as never);
  const round = (calls: number) =>
    Promise.all(Array.from({ length: calls }, () => call("a.b", {}).catch(error => error)));
  await round(1_000);
  sent = 0;
  const [failure] = await round(1_000);
  expect(failure).toMatchObject({ type: "REQUEST_REJECTED", data: { outcome: "unknown" } });
  expect(sent).toBeLessThanOrEqual(1_300);
  expect(sent).toBeGreaterThanOrEqual(1_150);
});
