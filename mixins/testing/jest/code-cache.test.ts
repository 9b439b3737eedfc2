// The environment has put the cache in place (environment.ts); to import it here would put one on the other.
import { expect, test } from "@jest/globals";
import { setFlagsFromString } from "node:v8";
import vm from "node:vm";

/** The options by which jest compiles: names of files that nothing else has. */
const modules = { identifier: "/code-cache/module.js" };
const script = { filename: "/code-cache/script.js" };

async function exported(text: string): Promise<any> {
  const module = new vm.SourceTextModule(text, modules);
  await module.link(() => {
    throw new Error("it imports nothing");
  });
  await module.evaluate();
  return module.namespace;
}

test("a text that was compiled before is not compiled again, and runs anew", async () => {
  const answer = () => vm.compileFunction("return [42]", [], script);
  expect(answer().cachedDataRejected).toBeUndefined();
  const again = answer();
  expect(again.cachedDataRejected).toBe(false);
  expect(again()).toEqual([42]);
  const text = "export const made = [42]";
  const [first, second] = [await exported(text), await exported(text)];
  expect(second.made).toEqual([42]);
  expect(second.made).not.toBe(first.made);
});

test("another text of the same name is compiled, though it is as long", async () => {
  expect(vm.compileFunction("return 'a'", [], script)()).toBe("a");
  expect(vm.compileFunction("return 'b'", [], script)()).toBe("b");
  expect((await exported("export const made = 1")).made).toBe(1);
  expect((await exported("export const made = 2")).made).toBe(2);
});

test("a mistake in a text is the error that it would be", () => {
  for (const _time of [1, 2]) {
    expect(() => new vm.SourceTextModule("export const made = ;", modules)).toThrow("Unexpected token");
    expect(() => vm.compileFunction("return ;;)", [], script)).toThrow("Unexpected token");
  }
});

test("code of other flags, which V8 refuses, is made anew", async () => {
  const text = "export const made = 'under any flags'";
  await exported(text);
  setFlagsFromString("--max-lazy");
  try {
    for (const _time of [1, 2]) expect((await exported(text)).made).toBe("under any flags");
  } finally {
    setFlagsFromString("--no-max-lazy");
  }
});
