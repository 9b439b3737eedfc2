import { expect, test } from "@jest/globals";
import type { LogEvent } from "../../log/source.ts";
import type { Sent } from "../../publish/relay.ts";
import { isSealed } from "../message.ts";
import { receivedFrom, recordsOf } from "./records.ts";

const owner = { namespace: "library", service: "loans", versions: { "loan.made": 2 }, secrets: ["pin"] };
const encode = recordsOf(owner);
const sent = (data: object): Sent => {
  const at = "2026-01-01T00:00:00.000Z";
  const event = {
    eventId: "loan.a@1",
    type: "loan.made",
    actor: "loan",
    stream: "a",
    version: 1,
    at,
    data,
    metadata: {},
  };
  return { origin: "log/1", after: "", upTo: "7", index: 1, count: 1, mark: "m", event: event as unknown as LogEvent };
};

test("a record is a CloudEvent under its actor's name, and gives back the message with its event", () => {
  const message = sent({ days: 7 });
  const record = encode(message, undefined);
  expect(record).toMatchObject({
    key: "loan.a",
    value: '{"days":7}',
    headers: { ce_id: "loan.a@1", ce_type: "loan.made.v2" },
  });
  expect(receivedFrom(record.headers, record.value)).toEqual({ ...message, size: 10, digest: "" });
});

test("an event with a secret, and one larger than a record may be, leave as far as they may and are read from the log", () => {
  const messages = [sent({ pin: "1234", days: 7 }), sent({ text: "x".repeat(1_000_000) })];
  const records = [...messages.map(message => encode(message, undefined)), encode(sent({ days: 7 }), undefined, 5)];
  expect(records.map(({ value }) => value)).toEqual(['{"days":7}', undefined, undefined]);
  for (const { headers, value } of records) {
    const received = receivedFrom(headers, value)!;
    expect(received).toMatchObject({ after: "", upTo: "7" });
    expect(received.event).toBeUndefined();
  }
});

test("a seal is of everything that a record says", () => {
  const { headers, value } = encode(sent({ days: 7 }), "secret");
  const isTrue = (over: object, text = value): boolean =>
    isSealed(receivedFrom({ ...headers, ...over }, text)!, "secret");
  expect(isTrue({})).toBe(true);
  expect(isTrue({}, '{"days":8}')).toBe(false);
  expect(isTrue({ ce_logupto: "8" })).toBe(false);
  expect(isTrue({ ce_userid: "ada" })).toBe(false);
  expect(isSealed(receivedFrom(headers, value)!, "another")).toBe(false);
});

test("records that no relay has written are none of ours", () => {
  const { headers, value } = encode(sent({}), undefined);
  for (const over of [{ ce_id: "x" }, { ce_logindex: "2" }, { ce_logcount: "9e9" }, { ce_specversion: "2" }])
    expect(receivedFrom({ ...headers, ...over }, value)).toBeUndefined();
  expect(receivedFrom({}, "hello")).toBeUndefined();
});
