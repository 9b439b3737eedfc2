// What every refusal of the shop looks like, whatever was sent.
import { expect } from "@jest/globals";
import type { Received } from "@valence/runtime/testing";

export function expectProblem({ status, contentType, json, text }: Received, method: string): void {
  expect(contentType).toBe("application/problem+json");
  if (method === "HEAD") return;
  expect({ text, json }).toMatchObject({ json: { type: expect.stringMatching(/^\/problems\/[a-z-]+$/), status } });
  // The message of an internal failure must not reach the client.
  expect(text).not.toMatch(/sqlite|postgres|select .* from|\.ts:\d|node_modules/i);
}
