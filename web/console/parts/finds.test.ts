import { expect, test } from "@jest/globals";
import { LISTS, placesFor } from "./finds.ts";

const labels = (text: string) =>
  placesFor(text, [{ label: "Sagas", path: "/sagas" }, ...LISTS]).map(({ label }) => label);

test.each([
  ["sagas", ["Sagas", "Stuck sagas", "Completed sagas"]],
  ["st sa", ["Stuck sagas"]],
  ["STOCK", ["Stock"]],
  ["agas", []],
  [
    "?!",
    ["Sagas", "Sales", "Stock", "Products", "Stuck sagas", "Failed traces", "Completed sagas", "Failed operations"],
  ],
])("%s finds %j", (text, found) => expect(labels(text)).toEqual(found));
