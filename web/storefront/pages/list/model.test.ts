import { expect, test } from "@jest/globals";
import { inputOf, nearTo, scarcity, shownBy, titleOf } from "./model.ts";

test("an address is shown as it says, and what the API would refuse is left out", () => {
  expect(shownBy({ q: " mug ", sort: "-price", page: "3" }, "mugs")).toEqual({
    q: "mug",
    category: "mugs",
    sort: "-price",
    page: 3,
  });
  const none = { q: undefined, category: undefined, sort: undefined, page: 1 };
  expect(shownBy({ q: "  ", sort: "color", page: "-1" }, undefined)).toEqual(none);
  expect(shownBy({ page: "1e9" }, undefined)).toEqual(none);
  expect(shownBy({ q: "x".repeat(500) }, undefined).q).toHaveLength(100);
});

test("the call has what is shown, and nothing that is undefined", () => {
  expect(inputOf(shownBy({}, undefined))).toEqual({ page: 1, pageSize: 24 });
  expect(inputOf(shownBy({ q: "mug" }, "mugs"))).toEqual({ q: "mug", category: "mugs", page: 1, pageSize: 24 });
});

test("a search names its words, a category itself, the front page nothing", () => {
  expect(titleOf(shownBy({ q: "mug" }, undefined))).toBe("“mug”");
  expect(titleOf(shownBy({}, "tea"))).toBe("Tea");
  expect(titleOf(shownBy({}, undefined))).toBe("");
});

test("a card says what is scarce, and nothing where there is plenty or nobody knows", () => {
  expect([undefined, 10, 3, 0].map(available => scarcity(available)?.says)).toEqual([
    undefined,
    undefined,
    "Only 3 left",
    "Sold out",
  ]);
});

test("a search without a hit is near to the categories that it may have meant", () => {
  const categories = ["mugs", "coffee", "lamps", "textiles"];
  expect(nearTo("blue MGU", categories)).toEqual(["mugs"]);
  expect(nearTo("lampe, coffe", categories)).toEqual(["coffee", "lamps"]);
  expect(nearTo("zeppelin", categories)).toEqual([]);
});
