import { expect, test } from "@jest/globals";
import { randomBytes } from "node:crypto";
import { newId } from "../../kernel/index.ts";
import { apiKey, apiKeyId, isLikeApiKey } from "./api-key.ts";

const id = newId();
const key = apiKey(id, randomBytes(32).toString("base64url"));

test("a key names its id", () => {
  expect(key).toMatch(/^vk_[0-9a-f]{32}_[\w-]{43}_[0-9a-f]{8}$/);
  expect([isLikeApiKey(key), apiKeyId(key)]).toEqual([true, id]);
});

test("each single wrong character, and two that changed places, are found without a lookup", () => {
  for (let at = 3; at < key.length; at++) {
    const other = key[at] === "a" ? "b" : "a";
    expect([at, apiKeyId(key.slice(0, at) + other + key.slice(at + 1))]).toEqual([at, undefined]);
    const swapped = key.slice(0, at) + (key[at + 1] ?? "") + key[at] + key.slice(at + 2);
    if (swapped !== key) expect([at, apiKeyId(swapped)]).toEqual([at, undefined]);
  }
});

test.each(["", "vk_", key.slice(0, -1), `${key}0`, key.toUpperCase(), ` ${key}`, key.slice(3)])("%j is no key", text =>
  expect(apiKeyId(text)).toBeUndefined(),
);
