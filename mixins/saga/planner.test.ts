import { describe, expect, test } from "@jest/globals";
import { Fulfilment } from "./fulfilment.fixture.ts";
import { defineSaga, GIVEN_NOW, type Saga } from "./index.ts";
import { fold, NEW, type Entry } from "./journal.ts";
import { randomRun } from "./random-run.fixture.ts";
import {
  abandoned,
  compensating,
  done,
  forced,
  given,
  refused,
  retried,
  started,
  told,
  undone,
  undoRefused,
  type Given,
} from "./given.ts";
import { advance, answered, plan, refused as refusedEntry } from "./planner.ts";
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
const send = { wish: "actor-1", chargeId: "p1" };
const fail = (reason: string) => ({ id: "actor-1", reason });

const taken = done("take", {}, {});
const charged = done("charge", { chargeId: "p1" });
const booked = done("book", {});

describe("forward", () => {
  test("calls each item of the first step at once", () => given(Fulfilment, wish).calls("shelves.take", bolts, nuts));

  test("command ids name saga, step, attempt and item", () => {
    given(Fulfilment, wish).commandIds("saga:fulfilment.actor-1/take/1/0", "saga:fulfilment.actor-1/take/1/1");
    given(Fulfilment, wish, taken).commandIds("saga:fulfilment.actor-1/charge/1");
  });

  test("calls the next step once every item is answered", () => {
    given(Fulfilment, wish, taken).calls("outside.charge", charge);
  });

  test("hands the results of earlier steps to later ones", () =>
    given(Fulfilment, wish, taken, charged, booked).calls("outside.send", send));

  test("P5 completes after the last step", () =>
    given(Fulfilment, wish, taken, charged, booked, done("send", {})).isCompleted());

  test("a step of no items is passed over", () =>
    given(Fulfilment, started("wish.made", { lines: [], card: "good" })).calls("outside.charge", charge));
});

describe("the author's code", () => {
  const head = { startedBy: "wish.made", otherwise: ["wishes.fail", () => ({ id: "x", reason: "x" })] } as const;
  const cycle: Record<string, unknown> = { id: "x" };
  cycle["itself"] = cycle;
  const bad = (): never => {
    throw new Error("no such line");
  };

  /** Values that params may have at run time, against their types. */
  const wrong: [string, () => unknown, RegExp][] = [
    ["throws", bad, /no such line/],
    ["gives nothing", () => undefined, /gave undefined instead of params/],
    ["gives a promise", async () => bad(), /gave a promise instead of params/],
    ["gives a list of promises", () => [1, 2].map(async () => bad()), /gave a promise instead of params/],
    ["gives what JSON makes a text", () => new Date(0), /instead of params/],
    ["gives what JSON cannot hold", () => ({ id: "x", quantity: 1n }), /BigInt/],
    ["gives a cycle", () => cycle, /circular/],
  ];
  test.each(wrong)("P5 a definition that %s parks the saga with the reason, and the step", (_, params, reason) => {
    const give = params as () => any;
    const saga = defineSaga("broken", { ...head, otherwise: [...head.otherwise] });
    const inStep = given(saga.step("book", "wishes.book", give), wish);
    inStep.isStuck(reason);
    inStep.isStuck(/^step book: the definition of broken threw: /);
    given(
      saga.each("take", give, "shelves.take", () => bolts),
      wish,
    ).isStuck(reason);
    given(
      saga.each("take", () => [1, 2], "shelves.take", give),
      wish,
    ).isStuck(reason);
    const undoing = saga.step("take", "shelves.take", () => bolts, { undo: ["shelves.giveBack", give] });
    given(undoing, wish, done("take", {}), compensating()).isStuck(reason);
    const mute = defineSaga("mute", { ...head, otherwise: ["wishes.fail", give] });
    given(
      mute.step("book", "wishes.book", () => ({ id: "x" })),
      wish,
      refused("book", "NO"),
    ).isStuck(reason);
  });

  test("cannot change what the journal holds", () => {
    const saga = defineSaga("rude", { ...head, otherwise: [...head.otherwise] }).step("book", "wishes.book", scope => {
      (scope.event.data as { card: string }).card = "stolen";
      return { id: "x" };
    });
    given(saga, wish).isStuck(/read only/);
  });

  test("its result is sent as JSON holds it: a repetition from the journal sends the same", () => {
    const when = new Date(0) as unknown as string;
    const saga = defineSaga("dated", { ...head, otherwise: [...head.otherwise] });
    const dated = saga.step("take", "shelves.take", () => ({ ...bolts, wish: when }));
    given(dated, wish).calls("shelves.take", { ...bolts, wish: "1970-01-01T00:00:00.000Z" });
  });
});

describe("an undo with params of its own", () => {
  const head = { startedBy: "wish.made", otherwise: ["wishes.fail", () => ({ id: "x", reason: "x" })] } as const;
  const Hotel = defineSaga("hotel", { ...head, otherwise: [...head.otherwise] })
    .each(
      "take",
      ({ event }) => event.data.lines,
      "shelves.take",
      ({ event }, { shelf, quantity }) => ({ id: shelf, wish: event.stream, quantity }),
      { undo: ["shelves.sweep", ({ sent, event }) => ({ id: sent.id, wish: event.stream })] },
    )
    .step("charge", "outside.charge", ({ event }) => ({ wish: event.stream, card: event.data.card }), {
      undo: ["outside.send", ({ event, done }) => ({ wish: event.stream, chargeId: done.charge?.chargeId ?? "none" })],
    })
    .step("book", "wishes.book", ({ event }) => ({ id: event.stream }));

  test("sees the answer of what it undoes, and that there is none", () => {
    given(Hotel, wish, taken, charged, refused("book", "NO")).compensates("outside.send", send);
    given(Hotel, wish, taken, compensating()).compensates("outside.send", { ...send, chargeId: "none" });
  });

  test("sees what was sent, item by item", () => {
    const past = [wish, taken, refused("charge", "CARD_DECLINED")];
    given(Hotel, ...past).compensates(
      "shelves.sweep",
      { id: "bolts", wish: "actor-1" },
      { id: "nuts", wish: "actor-1" },
    );
    given(Hotel, ...past).commandIds("saga:hotel.actor-1/take/1/0/undo", "saga:hotel.actor-1/take/1/1/undo");
    given(Hotel, ...past, undone("take")).compensates("wishes.fail", { id: "x", reason: "x" });
  });

  test("is journalled before it is called: what a deploy changes meanwhile does not reach a repetition", () => {
    let card = "first";
    const saga = defineSaga("undoings", { ...head, otherwise: [...head.otherwise] }).step(
      "charge",
      "outside.charge",
      () => charge,
      { undo: ["outside.reverse", () => ({ wish: "actor-1", card })] },
    );
    const undoing = given(saga, wish, done("charge", {}), compensating());
    card = "second";
    undoing.afterTrouble(0).compensates("outside.reverse", { wish: "actor-1", card: "first" });
  });

  test("is computed anew for an operator's retry of its refusal: a deploy may have mended it", () => {
    let card = "first";
    const saga = defineSaga("undoings", { ...head, otherwise: [...head.otherwise] }).step(
      "charge",
      "outside.charge",
      () => charge,
      { undo: ["outside.reverse", () => ({ wish: "actor-1", card })] },
    );
    const past = [wish, done("charge", {}), compensating(), undoRefused("charge", "UNKNOWN_CARD")];
    given(saga, ...past).isStuck(/cannot undo: charge: UNKNOWN_CARD/);
    const deploy: Given = scene => ((card = "second"), retried()(scene));
    given(saga, ...past, deploy).compensates("outside.reverse", { wish: "actor-1", card: "second" });
  });

  test.each([undefined, null, {}, { executed: "yes" }])(
    "an abandon that is answered with %j says nothing about its call: it is no outcome",
    answer => {
      const call = { purpose: "abandon", step: "take", item: 0, action: "shelves.abandon", params: {} } as const;
      expect(() => answered(call, answer, GIVEN_NOW)).toThrow(/shelves\.abandon did not say/);
    },
  );

  test.each([[[null]], [5], [[{ message: 5n }]], [{ length: 1 }]])(
    "an error whose fields are none that we know, %#, is journalled without them",
    errors => {
      const call = { purpose: "step", step: "take", item: 0, action: "shelves.take", params: {} } as const;
      const odd = Object.assign(new Error("odd"), { type: "ODD", data: { errors } });
      expect(refusedEntry(call, odd, GIVEN_NOW).data).toMatchObject({ failure: { type: "ODD", step: "take" } });
    },
  );

  test("the reason names the field that was not liked", () => {
    const call = { purpose: "undo", step: "take", item: 0, action: "shelves.sweep", params: {} } as const;
    const errors = [
      { field: "from", message: "is required" },
      { field: "quantity", message: "is not allowed" },
    ];
    const invalid = Object.assign(new Error("invalid"), { type: "VALIDATION_ERROR", code: 422, data: { errors } });
    const entry = refusedEntry(call, invalid, GIVEN_NOW);
    given(Hotel, wish, taken, compensating(), undone("charge"), () => [entry]).isStuck(
      /cannot undo: take: VALIDATION_ERROR: invalid \(from is required, quantity is not allowed\)/,
    );
  });
});

describe("given", () => {
  const head = { startedBy: "wish.made", otherwise: ["wishes.fail", () => ({ id: "x", reason: "x" })] } as const;
  const saga = defineSaga("s", { ...head, otherwise: [...head.otherwise] });

  test("checks the params of every call against the contract, undo and last word included, and names the field", () => {
    const extra = (() => ({ ...bolts, colour: "red" })) as () => typeof bolts;
    const less = (() => ({ id: "bolts" })) as () => typeof bolts;
    expect(() => given(saga.step("take", "shelves.take", extra), wish).isNotStuck()).toThrow(
      "s: take breaks the contract of shelves.take: colour is not allowed",
    );
    expect(() => given(saga.step("take", "shelves.take", less), wish).isNotStuck()).toThrow("wish is required");
    const undo = saga.step("take", "shelves.take", () => bolts, { undo: ["shelves.sweep", extra] });
    expect(() => given(undo, wish, done("take", {}), compensating(), undone("take"))).toThrow(
      "s: the undo of take breaks the contract of shelves.sweep: quantity is not allowed, colour is not allowed",
    );
    const mute = defineSaga("s", { ...head, otherwise: ["wishes.fail", less as never] });
    expect(() => given(mute.step("book", "wishes.book", less), wish, refused("book", "NO"), told())).toThrow(
      "reason is required",
    );
  });
});

describe("back, by a refusal before the pivot or of the pivot", () => {
  test("compensates at once, and undoes with the params that were sent", () =>
    given(Fulfilment, wish, taken, refused("charge", "CARD_DECLINED")).compensates("shelves.giveBack", bolts, nuts));

  test("the ids of compensations end in /undo", () =>
    given(Fulfilment, wish, taken, refused("charge", "CARD_DECLINED")).commandIds(
      "saga:fulfilment.actor-1/take/1/0/undo",
      "saga:fulfilment.actor-1/take/1/1/undo",
    ));

  test("undoes in reverse order, then tells the initiator why, then is compensated", () => {
    const past = [wish, taken, charged, refused("book", "WISH_CANCELLED")];
    given(Fulfilment, ...past).compensates("outside.reverse", charge);
    given(Fulfilment, ...past, undone("charge")).compensates("shelves.giveBack", bolts, nuts);
    const undoneAll = [...past, undone("charge"), undone("take")];
    given(Fulfilment, ...undoneAll).compensates("wishes.fail", fail("WISH_CANCELLED"));
    given(Fulfilment, ...undoneAll, told()).isCompensated();
  });

  test("one refused item: the answered ones are undone, the refused one is not", () =>
    given(Fulfilment, wish, refused("take", "NOT_ENOUGH_PARTS", 1)).compensates("shelves.giveBack", bolts));

  test("an item that was sent and not answered is abandoned before anything is undone", () => {
    const past = [wish, refused("take", "NOT_ENOUGH_PARTS")];
    given(Fulfilment, ...past).compensates("shelves.abandon", {
      id: "nuts",
      commandId: "saga:fulfilment.actor-1/take/1/1",
    });
    given(Fulfilment, ...past, abandoned("take", true, {})).compensates("shelves.giveBack", nuts);
    // Not executed, says the actor; the undo does nothing then, but of a plain action nobody knows.
    given(Fulfilment, ...past, abandoned("take", false)).compensates("shelves.giveBack", nuts);
  });

  test("a call that names no actor cannot be abandoned and is undone unanswered", () =>
    given(Fulfilment, wish, taken, compensating()).compensates("outside.reverse", charge));

  test("a call whose service has no abandon is undone unanswered", () => {
    const { compensates } = given(Fulfilment, wish, compensating()).afterTrouble(0, { canAbandon: () => false });
    compensates("shelves.giveBack", bolts, nuts);
  });

  test("`otherwise` is told of every call that was refused side by side, with what it had sent", () => {
    const saga = defineSaga("s", {
      startedBy: "wish.made",
      otherwise: [
        "wishes.fail",
        (_scope, { type, refused }) => ({ id: "x", reason: JSON.stringify({ type, refused }) }),
      ],
    }).each(
      "take",
      () => ["a", "b", "c"],
      "shelves.take",
      (_scope, id) => ({ ...bolts, id }),
    );
    // Two in one append, as the driver journals the outcomes of calls that it made in parallel.
    const none = { type: "NOT_ENOUGH_PARTS", message: "refused" };
    const both = (): Entry[] =>
      [0, 2].map(item => ({
        type: "saga.refused",
        data: { step: "take", item, failure: { ...none, step: "take" }, at: "2026-01-01T00:00:00.000Z" },
      }));
    const refused = ["a", "c"].map(id => ({ ...none, params: { ...bolts, id } }));
    given(saga, wish, both, abandoned("take", false)).compensates("wishes.fail", {
      id: "x",
      reason: JSON.stringify({ type: none.type, refused }),
    });
  });

  test("a refused undo parks the saga", () =>
    given(Fulfilment, wish, taken, refused("charge", "CARD_DECLINED"), undoRefused("take", "NO_SHELF", 1)).isStuck(
      /cannot undo: take: NO_SHELF/,
    ));

  test("a refusal of the last word parks the saga", () =>
    given(
      Fulfilment,
      wish,
      refused("take", "NOT_ENOUGH_PARTS"),
      abandoned("take", false),
      undone("take"),
      refused("otherwise", "WISH_EXISTS"),
    ).isStuck(/otherwise: WISH_EXISTS/));

  test("no progress for 15 minutes while compensating parks the saga", () => {
    const saga = given(Fulfilment, wish, taken, refused("charge", "CARD_DECLINED"));
    saga.afterTrouble(minutes(14)).compensates("shelves.giveBack", bolts, nuts);
    saga.afterTrouble(minutes(15)).isStuck(/no progress for 900000 ms; last: take: REQUEST_TIMEOUT/);
  });
});

describe("technical failures", () => {
  test("before the pivot the call is repeated, under the same attempt, until the step's deadline", () => {
    const saga = given(Fulfilment, wish, taken);
    saga.afterTrouble(1_999).calls("outside.charge", charge);
    saga.afterTrouble(1_999).commandIds("saga:fulfilment.actor-1/charge/1");
    saga.afterTrouble(2_000).compensates("outside.reverse", charge);
  });

  test("P5 while nobody was there to ask, the deadline stands still: a start after a long stop undoes nothing", () => {
    const saga = given(Fulfilment, wish, taken);
    saga.afterTrouble(60_000, { awakeMs: 1_999 }).calls("outside.charge", charge);
    saga.afterTrouble(60_000, { awakeMs: 2_000 }).compensates("outside.reverse", charge);
  });

  test("the pivot past its deadline is abandoned: done after all, the saga goes on; else it goes back", () => {
    const abandon = { id: "actor-1", commandId: "saga:fulfilment.actor-1/book/1" };
    given(Fulfilment, wish, taken, charged).afterTrouble(2_000).compensates("wishes.abandon", abandon);
    const late = [wish, taken, charged, compensating()];
    given(Fulfilment, ...late, abandoned("book", true, { id: "actor-1" })).calls("outside.send", send);
    given(Fulfilment, ...late, abandoned("book", false)).compensates("outside.reverse", charge);
  });

  test("a pivot that cannot be abandoned is not given up: nobody knows whether it is done", () => {
    const saga = given(Fulfilment, wish, taken, charged);
    saga.afterTrouble(minutes(14), { canAbandon: () => false }).calls("wishes.book", { id: "actor-1" });
    saga.afterTrouble(minutes(15), { canAbandon: () => false }).isStuck(/no progress/);
  });

  test("P5 while nobody was there to ask, a saga past its pivot or on its way back is not parked either", () => {
    for (const past of [[charged, booked], [refused("charge", "CARD_DECLINED")]]) {
      const saga = given(Fulfilment, wish, taken, ...past);
      saga.afterTrouble(minutes(600), { awakeMs: minutes(15) - 1 }).isNotStuck();
      saga.afterTrouble(minutes(600), { awakeMs: minutes(15) }).isStuck(/no progress/);
    }
  });

  test("past the pivot the call is repeated until stuck, never undone", () => {
    const saga = given(Fulfilment, wish, taken, charged, booked);
    saga.afterTrouble(minutes(14)).calls("outside.send", send);
    saga.afterTrouble(minutes(15)).isStuck(/no progress/);
    saga.afterTrouble(seconds(1), { stuckAfterMs: 1_000 }).isStuck(/no progress/);
  });
});

describe("past the pivot, and by an operator", () => {
  const lost = [wish, taken, charged, booked, refused("send", "NO_SUCH_ADDRESS")];

  test("a refusal past the pivot parks the saga with the reason", () =>
    given(Fulfilment, ...lost).isStuck(/send: NO_SUCH_ADDRESS/));

  test("an operator's retry of a refusal raises the attempt", () => {
    given(Fulfilment, ...lost, retried()).calls("outside.send", send);
    given(Fulfilment, ...lost, retried()).commandIds("saga:fulfilment.actor-1/send/2");
    given(Fulfilment, ...lost, retried(), done("send", {})).isCompleted();
  });

  test("an operator's retry of a call without an answer keeps the attempt: it may have been executed", () =>
    given(Fulfilment, wish, taken, charged, booked, retried()).commandIds("saga:fulfilment.actor-1/send/1"));

  test("an operator's retry of a refused undo raises its attempt, and the step that was refused stays so", () => {
    const parked = [wish, taken, refused("charge", "CARD_DECLINED"), undoRefused("take", "NO_SHELF", 1)];
    given(Fulfilment, ...parked, retried()).commandIds(
      "saga:fulfilment.actor-1/take/1/0/undo",
      "saga:fulfilment.actor-1/take/2/1/undo",
    );
  });
});

describe("taken back by an operator past the pivot", () => {
  const params = (id: string) => () => ({ ...bolts, id });
  const undo = { undo: "shelves.giveBack" } as const;
  const saga = defineSaga("s", { startedBy: "wish.made", otherwise: ["wishes.fail", () => fail("x")] })
    .step("first", "shelves.take", params("first"), undo)
    .pivot("book", "shelves.take", params("book"), undo)
    .step("last", "shelves.take", params("last"), undo)
    .step("end", "shelves.take", params("end"));
  const past = [wish, done("first", {}), done("book", {})];
  const of = (id: string) => ({ ...bolts, id });

  test("undoes from the last step on, also the one that was refused, which may have begun", () => {
    const back = [...past, refused("last", "NO_SHELF"), forced()];
    given(saga, ...back).compensates("shelves.giveBack", of("last"));
    given(saga, ...back, undone("last")).compensates("shelves.giveBack", of("book"));
    given(saga, ...back, undone("last"), undone("book")).compensates("shelves.giveBack", of("first"));
    const all = [...back, undone("last"), undone("book"), undone("first"), told()];
    given(saga, ...all).isCompensated();
  });

  test("a call that is under way is abandoned first; done after all without an undo, it parks the saga again", () => {
    const back = [...past, done("last", {}), forced()];
    given(saga, ...back).compensates("shelves.abandon", { id: "end", commandId: "saga:s.actor-1/end/1" });
    given(saga, ...back, abandoned("end", true, {})).isStuck(/step end is done, and cannot be taken back/);
    given(saga, ...back, abandoned("end", false)).compensates("shelves.giveBack", of("last"));
  });

  test("by itself a saga never undoes its pivot, nor what comes after it", () => {
    const late = [wish, done("first", {}), compensating(), abandoned("book", false)];
    given(saga, ...late).compensates("shelves.giveBack", of("first"));
    given(saga, ...past, refused("last", "NO_SHELF")).isStuck(/NO_SHELF/);
  });
});

describe("two releases", () => {
  const head = { startedBy: "wish.made", otherwise: ["wishes.fail", () => ({ id: "x", reason: "x" })] } as const;
  const saga = (version = 1) => defineSaga("s", { ...head, otherwise: [...head.otherwise], version });
  const params = (id: string) => () => ({ ...bolts, id });
  const undo = { undo: "shelves.giveBack" } as const;
  const was = saga()
    .step("first", "shelves.take", params("first"), undo)
    .pivot("book", "shelves.take", params("book"))
    .step("last", "shelves.take", params("last"));
  /** The journal that the release before has left, whichever release reads it. */
  const journalOf =
    (from: Saga, ...past: Given[]): Given =>
    () => {
      let state = NEW;
      const entries: Entry[] = [];
      for (const given of past) {
        const planned = plan(from, "s.actor-1", state, { now: GIVEN_NOW });
        const calls = planned.kind === "calls" ? planned.calls : [];
        const outcomes = given({ saga: from, state, calls, at: GIVEN_NOW });
        const next = advance(from, "s.actor-1", state, outcomes, { now: GIVEN_NOW });
        entries.push(...next);
        state = fold(state, next);
      }
      return entries;
    };
  const entry =
    (...entries: Entry[]): Given =>
    () =>
      entries;
  const at = GIVEN_NOW;
  const sent = (step: string) => entry({ type: "saga.sent", data: { step, params: [{ ...bolts, id: step }], at } });

  describe("a step that is added before the pivot", () => {
    const now = saga()
      .step("first", "shelves.take", params("first"), undo)
      .step("added", "shelves.take", params("added"))
      .pivot("book", "shelves.take", params("book"))
      .step("last", "shelves.take", params("last"));

    test("is begun by sagas that have not come to the pivot", () =>
      given(now, journalOf(was, wish), done("first", {})).calls("shelves.take", { ...bolts, id: "added" }));

    test("P5 is not begun by those past it: they complete without", () => {
      const past = journalOf(was, wish, done("first", {}), done("book", {}));
      given(now, past).calls("shelves.take", { ...bolts, id: "last" });
      given(now, past, done("last", {})).isCompleted();
      given(now, past, refused("last", "NO")).isStuck(/last: NO/);
    });

    test("P5 is not begun while the pivot is under way: refused, it could undo what the pivot has closed", () =>
      given(now, journalOf(was, wish, done("first", {})), refused("book", "NO")).compensates("shelves.giveBack", {
        ...bolts,
        id: "first",
      }));

    test("P5 that an earlier release begun past the pivot is refused: parked, not to and fro without end", () => {
      const past = [journalOf(was, wish, done("first", {}), done("book", {})), sent("added")];
      given(now, ...past).calls("shelves.take", { ...bolts, id: "added" });
      given(now, ...past, refused("added", "NO")).isStuck(/added: NO/);
      given(now, ...past)
        .afterTrouble(minutes(2))
        .isNotStuck();
      given(now, ...past)
        .afterTrouble(minutes(15))
        .isStuck(/no progress/);
    });
  });

  test("a step that is added past the pivot is done by every saga that has not ended", () => {
    const now = saga()
      .step("first", "shelves.take", params("first"), undo)
      .pivot("book", "shelves.take", params("book"))
      .step("added", "shelves.take", params("added"))
      .step("last", "shelves.take", params("last"));
    const past = journalOf(was, wish, done("first", {}), done("book", {}), done("last", {}));
    given(now, journalOf(was, wish, done("first", {}), done("book", {}))).calls("shelves.take", {
      ...bolts,
      id: "added",
    });
    given(now, past).isCompleted();
  });

  test("P5 an abandoned step is not a done one: it is not passed over, and an operator's retry sends it again", () => {
    const abandonedLast = entry(
      { type: "saga.compensating", data: { failure: { type: "NO", message: "no", step: "" }, at } },
      { type: "saga.abandoned", data: { step: "last", item: 0, executed: false, at } },
      { type: "saga.resumed", data: { at } },
    );
    const past = [journalOf(was, wish, done("first", {}), done("book", {})), abandonedLast];
    given(was, ...past).isStuck(/step last is abandoned, and not done/);
    given(was, ...past, retried()).commandIds("saga:s.actor-1/last/2");
    given(was, ...past, retried(), done("last", {})).isCompleted();
  });

  test("the pivot is asked about before anything is undone: executed after all, nothing is", () => {
    const moved = saga()
      .pivot("book", "shelves.take", params("book"))
      .step("first", "shelves.take", params("first"))
      .step("last", "shelves.take", params("last"));
    const past = [journalOf(was, wish, done("first", {})), compensating()];
    const abandon = { id: "book", commandId: "saga:s.actor-1/book/1" };
    given(moved, ...past).compensates("shelves.abandon", abandon);
    given(moved, ...past, abandoned("book", true, {})).calls("shelves.take", { ...bolts, id: "last" });
  });

  test("P5 a pivot that turns out not to be abandonable is gone on with, not undone around", () => {
    const past = [journalOf(was, wish, done("first", {})), compensating()];
    const saga = given(was, ...past).afterTrouble(0, { canAbandon: () => false });
    saga.calls("shelves.take", { ...bolts, id: "book" });
  });

  test("P5 what says now this, now that cannot make it turn to and fro: it is parked", () => {
    let asked = 0;
    const past = [journalOf(was, wish, done("first", {}))];
    given(was, ...past)
      .afterTrouble(minutes(2), { canAbandon: () => asked++ % 2 === 1 })
      .isStuck(/contradicts itself/);
  });

  test("a sent call is repeated and undone as it was sent, whatever its step calls now", () => {
    const now = saga()
      .step("first", "shelves.giveBack", params("other"), { timeoutMs: 1_000 })
      .pivot("book", "shelves.take", params("book"));
    const past = journalOf(was, wish);
    given(now, past).calls("shelves.take", { ...bolts, id: "first" });
    given(now, past).afterTrouble(1_000).compensates("shelves.abandon", {
      id: "first",
      commandId: "saga:s.actor-1/first/1",
    });
  });

  describe("a journal of a newer one", () => {
    const doneFirst: Entry[] = [{ type: "saga.done", data: { step: "first", item: 0, result: {}, at } }];
    const newer = (version = 1) =>
      saga(version)
        .step("first", "shelves.take", params("first"), undo)
        .step("added", "shelves.take", params("added"))
        .pivot("book", "shelves.take", params("book"))
        .step("last", "shelves.take", params("last"));

    test("P5 is left to a node that knows its steps: not parked, not skipped, not undone", () => {
      for (const past of [[], [done("added", {})], [compensating()], [compensating(), abandoned("added", false)]]) {
        const left = given(was, journalOf(newer(), wish, done("first", {}), ...past));
        left.restsElsewhere(/step added was sent, which s does not have on this node/);
        left.isNotStuck();
        left.afterTrouble(minutes(60)).isNotStuck();
      }
    });

    test("with a raised version is left to it before such a step is sent, too", () =>
      given(was, journalOf(newer(2), wish)).restsElsewhere(/began under version 2 of s, and this node has version 1/));

    test("P5 that began under an earlier one than both is left to it, too", () => {
      const past = journalOf(was, wish);
      const third = newer(3);
      const both = [past, (({ state }) => advance(third, "s.actor-1", state, doneFirst, { now: at })) as Given];
      given(saga(2).step("first", "shelves.take", params("first")), ...both).restsElsewhere(/step added was sent/);
      given(third, ...both, done("added", {})).isNotStuck();
    });

    test("without a raised version goes on as far as it is understood", () =>
      given(was, journalOf(newer(), wish)).calls("shelves.take", { ...bolts, id: "first" }));
  });

  describe("a step that is removed, under a raised version", () => {
    const now = saga(2).pivot("paid", "shelves.take", params("paid")).step("last", "shelves.take", params("last"));

    test("P5 parks the sagas that would have to undo it, or are waiting for it", () => {
      const undoing = [journalOf(was, wish, done("first", {})), compensating()];
      given(now, ...undoing).isStuck(/step first was sent, but s no longer knows how to undo it/);
      given(now, journalOf(was, wish)).isStuck(/step first was sent, but s no longer has it/);
    });

    test("P5 stays the pivot of those that have passed it", () =>
      given(now, journalOf(was, wish, done("first", {}), done("book", {})), refused("paid", "NO")).isStuck(/paid: NO/));
  });

  test("a journal of the first release, without its definition and actions, is gone on with", () => {
    const old = entry(
      { type: "saga.started", data: { event: { stream: "x" } as never, at } },
      { type: "saga.sent", data: { step: "first", params: [bolts], at } },
    );
    given(was, old).calls("shelves.take", bolts);
    given(was, old, refused("first", "NO")).compensates("wishes.fail", { id: "x", reason: "x" });
  });

  test("P5 a journal of any release goes on and ends under any next release", () => {
    const seed = Number(process.env["SEED"] ?? Date.now() % 1e9);
    for (let n = 0; n < 400; n++) randomRun(seed + n);
  });
});

describe("defineSaga", () => {
  const head = {
    startedBy: "wish.made",
    otherwise: ["wishes.fail", () => ({ id: "x", reason: "x" })],
  } as const;
  const book = () => ({ id: "x" });

  test("refuses two steps of one name, names that would break command ids, and versions that do not count", () => {
    const saga = defineSaga("s", { ...head, otherwise: [...head.otherwise] }).step("book", "wishes.book", book);
    expect(() => saga.step("book", "wishes.book", book)).toThrow('two steps named "book"');
    expect(() => saga.step("otherwise", "wishes.book", book)).toThrow('two steps named "otherwise"');
    expect(() => saga.step("a/b", "wishes.book", book)).toThrow("letters, digits");
    for (const version of [0, 1.5, NaN])
      expect(() => defineSaga("s", { ...head, otherwise: [...head.otherwise], version })).toThrow("is not 1, 2, 3");
    expect(() => defineSaga("a.b", { ...head, otherwise: [...head.otherwise] })).toThrow("letters, digits");
  });
});
