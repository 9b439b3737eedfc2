import { expect, test } from "@jest/globals";
import { inputOf, shownBy, titleOf } from "./model.ts";

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
