// Jest compiles every module anew for each test file. What V8 made of a module's text is kept here and given to it when
// the next file in the same process loads that module: a file that loads a broker then costs a fifth less. Modules are
// evaluated for each file as before. V8 refuses code that was made under other flags, which a test may have changed: then the
// text is compiled.
//
// Jest takes these two from `node:vm` at each use, so that replacing them there is enough.
import vm, { type CompileFunctionOptions, type SourceTextModuleOptions } from "node:vm";

/** Modules that are kept: more than all tests of a project load. Their code takes some 2 kB each, besides the text. */
const MODULES_MAX = 10_000;

interface Compiled {
  readonly text: string;
  readonly code: Buffer;
}
const compiled = new Map<string, Compiled>();

/** V8 itself compares no more than the length of a text. */
function codeOf(name: string, text: string): Buffer | undefined {
  const found = compiled.get(name);
  return found?.text === text ? found.code : undefined;
}

function keep(name: string, text: string, code: Buffer): void {
  if (compiled.size < MODULES_MAX) compiled.set(name, { text, code });
}

/** Only a module that has not been evaluated tells its code. Node's types do not know the method. */
const codeOfModule = (module: object): Buffer => (module as { createCachedData(): Buffer }).createCachedData();

const { compileFunction, SourceTextModule } = vm;

function compileFunctionOnce(text: string, params?: readonly string[], options: CompileFunctionOptions = {}) {
  const { filename = "" } = options;
  const cachedData = codeOf(filename, text);
  const made = compileFunction(text, params, { ...options, cachedData, produceCachedData: cachedData === undefined });
  if (made.cachedDataRejected) compiled.delete(filename);
  else if (made.cachedData !== undefined) keep(filename, text, made.cachedData);
  return made;
}

function replaceModules(): void {
  class ModuleCompiledOnce extends SourceTextModule {
    constructor(text: string, options: SourceTextModuleOptions = {}) {
      const { identifier = "" } = options;
      const cachedData = codeOf(identifier, text);
      if (cachedData === undefined) super(text, options);
      else
        try {
          super(text, { ...options, cachedData });
          return;
        } catch {
          super(text, options);
        }
      keep(identifier, text, codeOfModule(this));
    }
  }
  Object.assign(vm, { SourceTextModule: ModuleCompiledOnce });
}

Object.assign(vm, { compileFunction: compileFunctionOnce });
// Node has the class only under a flag, and jest says so where it is missing.
if (typeof SourceTextModule === "function") replaceModules();
