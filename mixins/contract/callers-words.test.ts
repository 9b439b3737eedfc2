import { expect, test } from "@jest/globals";
import { Refusal, Unavailable } from "../kernel/index.ts";
import { inCallersWords } from "./index.ts";

const gone = new Refusal("ROOM_NOT_FOUND", { field: "id", message: "there is no room 7", members: { floor: 1 } });
const refusing = (error: unknown) => Promise.reject<number>(error);

test("fields of the callee get the caller's names, and the rest stays", async () => {
  const words = { ROOM_NOT_FOUND: { id: "booking.roomId" } };
  await expect(inCallersWords(refusing(gone), words)).rejects.toMatchObject({
    type: "ROOM_NOT_FOUND",
    code: 404,
    message: "there is no room 7",
    data: { errors: [{ field: "booking.roomId", message: "there is no room 7" }], members: { floor: 1 } },
  });
  expect(await inCallersWords(Promise.resolve(7), words)).toBe(7);
});

test("a refusal is made anew from what it says", async () => {
  const words = {
    ROOM_NOT_FOUND: ({ type, message }: { type: string; message: string }) =>
      new Refusal(type, { status: 422, field: "rooms.3", message }),
  };
  await expect(inCallersWords(refusing(gone), words)).rejects.toMatchObject({
    code: 422,
    data: { errors: [{ field: "rooms.3", message: "there is no room 7" }] },
  });
});

test("other rules, and what is no refusal, are thrown as they are", async () => {
  for (const error of [gone, new Unavailable("ROOM_TAKEN"), new Error("x"), "x"])
    await expect(inCallersWords(refusing(error), { ROOM_TAKEN: { id: "roomId" } })).rejects.toBe(error);
});
