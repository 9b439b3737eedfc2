import { describe, expect, test } from "@jest/globals";
import { Fulfilment } from "./fulfilment.fixture.ts";
import { defineSaga } from "./index.ts";
import {
  abandoned,
  compensating,
  done,
  givenSaga,
  refused,
  retried,
  SAGA_GIVEN_NOW,
  started,
  told,
  undone,
  undoRefused,
} from "./given-saga.ts";
import { minutes, seconds } from "../kernel/index.ts";

const wish = started("wish.made", {
  lines: [
    { shelf: "bolts", quantity: 2 },
    { shelf: "nuts", quantity: 3 },
  ],
  card: "good",
});
const bolts = { id: "bolts", wish: "actor-1", quantity: 2 };
const nuts = { id: "nuts", wish: "actor-1", quantity: 3 };
const charge = { wish: "actor-1", card: "good" };
const send = { wish: "actor-1", paymentId: "p1" };
const fail = (reason: string) => ({ id: "actor-1", reason });

const taken = done("take", {}, {});
const charged = done("charge", { paymentId: "p1" });
const booked = done("book", {});

describe("forward", () => {
  test("calls each item of the first step at once", () =>
    givenSaga(Fulfilment, wish).calls("shelves.take", bolts, nuts));

  test("command ids name saga, step, attempt and item", () => {
    givenSaga(Fulfilment, wish).commandIds("saga:fulfilment.actor-1/take/1/0", "saga:fulfilment.actor-1/take/1/1");
    givenSaga(Fulfilment, wish, taken).commandIds("saga:fulfilment.actor-1/charge/1");
  });

  test("calls the next step once every item is answered", () => {
    givenSaga(Fulfilment, wish, taken).calls("outside.charge", charge);
  });

  test("hands the results of earlier steps to later ones", () =>
    givenSaga(Fulfilment, wish, taken, charged, booked).calls("outside.send", send));

  test("P5 completes after the last step", () =>
    givenSaga(Fulfilment, wish, taken, charged, booked, done("send", {})).isCompleted());

  test("a step of no items is passed over", () =>
    givenSaga(Fulfilment, started("wish.made", { lines: [], card: "good" })).calls("outside.charge", charge));

  test("P5 a definition that throws parks the saga with the reason", () => {
    const Broken = defineSaga("broken", {
      startedBy: "wish.made",
      otherwise: ["wishes.fail", () => ({ id: "x", reason: "x" })],
    }).step("book", "wishes.book", () => {
      throw new Error("no such line");
    });
    givenSaga(Broken, wish).isStuck(/definition of broken threw: no such line/);
  });
});

describe("back, by a refusal before the pivot or of the pivot", () => {
  test("compensates at once, and undoes with the params that were sent", () =>
    givenSaga(Fulfilment, wish, taken, refused("charge", "CARD_DECLINED")).compensates(
      "shelves.giveBack",
      bolts,
      nuts,
    ));

  test("the ids of compensations end in /undo", () =>
    givenSaga(Fulfilment, wish, taken, refused("charge", "CARD_DECLINED")).commandIds(
      "saga:fulfilment.actor-1/take/1/0/undo",
      "saga:fulfilment.actor-1/take/1/1/undo",
    ));

  test("undoes in reverse order, then tells the initiator why, then is compensated", () => {
    const past = [wish, taken, charged, refused("book", "WISH_CANCELLED")];
    givenSaga(Fulfilment, ...past).compensates("outside.refund", charge);
    givenSaga(Fulfilment, ...past, undone("charge")).compensates("shelves.giveBack", bolts, nuts);
    const undoneAll = [...past, undone("charge"), undone("take")];
    givenSaga(Fulfilment, ...undoneAll).compensates("wishes.fail", fail("WISH_CANCELLED"));
    givenSaga(Fulfilment, ...undoneAll, told()).isCompensated();
  });

  test("one refused item: the answered ones are undone, the refused one is not", () =>
    givenSaga(Fulfilment, wish, refused("take", "NOT_ENOUGH_PARTS", 1)).compensates("shelves.giveBack", bolts));

  test("an item that was sent and not answered is abandoned before anything is undone", () => {
    const past = [wish, refused("take", "NOT_ENOUGH_PARTS")];
    givenSaga(Fulfilment, ...past).compensates("shelves.abandon", {
      id: "nuts",
      commandId: "saga:fulfilment.actor-1/take/1/1",
    });
    givenSaga(Fulfilment, ...past, abandoned("take", true, {})).compensates("shelves.giveBack", nuts);
    // Not executed, says the actor; the undo does nothing then, but of a plain action nobody knows.
    givenSaga(Fulfilment, ...past, abandoned("take", false)).compensates("shelves.giveBack", nuts);
  });

  test("a call that names no actor cannot be abandoned and is undone unanswered", () =>
    givenSaga(Fulfilment, wish, taken, compensating()).compensates("outside.refund", charge));

  test("a call whose service has no abandon is undone unanswered", () => {
    const { compensates } = givenSaga(Fulfilment, wish, compensating()).afterTrouble(0, { canAbandon: () => false });
    compensates("shelves.giveBack", bolts, nuts);
  });

  test("a step that was sent and that the saga no longer has parks it: nobody knows how to undo it", () => {
    const sent = () => [{ type: "saga.sent" as const, data: { step: "wrap", params: [{}], at: SAGA_GIVEN_NOW } }];
    givenSaga(Fulfilment, wish, sent, compensating()).isStuck(/step wrap was sent, but fulfilment no longer knows/);
  });

  test("a refused undo parks the saga", () =>
    givenSaga(Fulfilment, wish, taken, refused("charge", "CARD_DECLINED"), undoRefused("take", "NO_SHELF", 1)).isStuck(
      /cannot undo: take: NO_SHELF/,
    ));

  test("a refusal of the last word parks the saga", () =>
    givenSaga(
      Fulfilment,
      wish,
      refused("take", "NOT_ENOUGH_PARTS"),
      abandoned("take", false),
      undone("take"),
      refused("otherwise", "WISH_EXISTS"),
    ).isStuck(/otherwise: WISH_EXISTS/));

  test("no progress for 15 minutes while compensating parks the saga", () => {
    const saga = givenSaga(Fulfilment, wish, taken, refused("charge", "CARD_DECLINED"));
    saga.afterTrouble(minutes(14)).compensates("shelves.giveBack", bolts, nuts);
    saga.afterTrouble(minutes(15)).isStuck(/no progress for 900000 ms; last: take: REQUEST_TIMEOUT/);
  });
});

describe("technical failures", () => {
  test("before the pivot the call is repeated, under the same attempt, until the step's deadline", () => {
    const saga = givenSaga(Fulfilment, wish, taken);
    saga.afterTrouble(1_999).calls("outside.charge", charge);
    saga.afterTrouble(1_999).commandIds("saga:fulfilment.actor-1/charge/1");
    saga.afterTrouble(2_000).compensates("outside.refund", charge);
  });

  test("P5 while nobody was there to ask, the deadline stands still: a start after a long stop undoes nothing", () => {
    const saga = givenSaga(Fulfilment, wish, taken);
    saga.afterTrouble(60_000, { awakeMs: 1_999 }).calls("outside.charge", charge);
    saga.afterTrouble(60_000, { awakeMs: 2_000 }).compensates("outside.refund", charge);
  });

  test("the pivot past its deadline is abandoned: done after all, the saga goes on; else it goes back", () => {
    const abandon = { id: "actor-1", commandId: "saga:fulfilment.actor-1/book/1" };
    givenSaga(Fulfilment, wish, taken, charged).afterTrouble(2_000).compensates("wishes.abandon", abandon);
    const late = [wish, taken, charged, compensating()];
    givenSaga(Fulfilment, ...late, abandoned("book", true, { id: "actor-1" })).calls("outside.send", send);
    givenSaga(Fulfilment, ...late, abandoned("book", false)).compensates("outside.refund", charge);
  });

  test("a pivot that cannot be abandoned is not given up: nobody knows whether it is done", () => {
    const saga = givenSaga(Fulfilment, wish, taken, charged);
    saga.afterTrouble(minutes(14), { canAbandon: () => false }).calls("wishes.book", { id: "actor-1" });
    saga.afterTrouble(minutes(15), { canAbandon: () => false }).isStuck(/no progress/);
  });

  test("past the pivot the call is repeated until stuck, never undone", () => {
    const saga = givenSaga(Fulfilment, wish, taken, charged, booked);
    saga.afterTrouble(minutes(14)).calls("outside.send", send);
    saga.afterTrouble(minutes(15)).isStuck(/no progress/);
    saga.afterTrouble(seconds(1), { stuckAfterMs: 1_000 }).isStuck(/no progress/);
  });
});

describe("past the pivot, and by an operator", () => {
  const lost = [wish, taken, charged, booked, refused("send", "NO_SUCH_ADDRESS")];

  test("a refusal past the pivot parks the saga with the reason", () =>
    givenSaga(Fulfilment, ...lost).isStuck(/send: NO_SUCH_ADDRESS/));

  test("an operator's retry of a refusal raises the attempt", () => {
    givenSaga(Fulfilment, ...lost, retried()).calls("outside.send", send);
    givenSaga(Fulfilment, ...lost, retried()).commandIds("saga:fulfilment.actor-1/send/2");
    givenSaga(Fulfilment, ...lost, retried(), done("send", {})).isCompleted();
  });

  test("an operator's retry of a call without an answer keeps the attempt: it may have been executed", () =>
    givenSaga(Fulfilment, wish, taken, charged, booked, retried()).commandIds("saga:fulfilment.actor-1/send/1"));

  test("an operator's retry of a refused undo raises its attempt, and the step that was refused stays so", () => {
    const parked = [wish, taken, refused("charge", "CARD_DECLINED"), undoRefused("take", "NO_SHELF", 1)];
    givenSaga(Fulfilment, ...parked, retried()).commandIds(
      "saga:fulfilment.actor-1/take/1/0/undo",
      "saga:fulfilment.actor-1/take/2/1/undo",
    );
  });
});

describe("defineSaga", () => {
  const head = {
    startedBy: "wish.made",
    otherwise: ["wishes.fail", () => ({ id: "x", reason: "x" })],
  } as const;
  const book = () => ({ id: "x" });

  test("refuses two steps of one name, and names that would break command ids", () => {
    const saga = defineSaga("s", { ...head, otherwise: [...head.otherwise] }).step("book", "wishes.book", book);
    expect(() => saga.step("book", "wishes.book", book)).toThrow('two steps named "book"');
    expect(() => saga.step("otherwise", "wishes.book", book)).toThrow('two steps named "otherwise"');
    expect(() => saga.step("a/b", "wishes.book", book)).toThrow("letters, digits");
    expect(() => defineSaga("a.b", { ...head, otherwise: [...head.otherwise] })).toThrow("letters, digits");
  });
});
