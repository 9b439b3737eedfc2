import { tmpdir } from "node:os";
import { expect, test } from "@jest/globals";
import { diskSpace, diskState } from "./disk.ts";

const GB = 1_073_741_824;

test("a disk is judged by share and by bytes, whichever is reached first", () => {
  const statusOf = (freeBytes: number, totalBytes: number) => diskState("data", { freeBytes, totalBytes }).status;
  expect(statusOf(50 * GB, 100 * GB)).toBe("ok");
  expect(statusOf(9 * GB, 100 * GB)).toBe("warn");
  expect(statusOf(2 * GB, 100 * GB)).toBe("FAIL");
  expect(statusOf(0.9 * GB, 2 * GB)).toBe("warn");
  expect(statusOf(0.2 * GB, 2 * GB)).toBe("FAIL");
  expect(diskState("data", { freeBytes: 9 * GB, totalBytes: 100 * GB })).toMatchObject({
    message: "data: 9 % free, 9,216 MB",
    advice: expect.any(String),
  });
});

test("the space is that of the disk under the path", async () => {
  const { freeBytes, totalBytes } = await diskSpace(tmpdir());
  expect(freeBytes).toBeGreaterThan(0);
  expect(totalBytes).toBeGreaterThanOrEqual(freeBytes);
  await expect(diskSpace("/nowhere/at/all")).rejects.toThrow("ENOENT");
});
