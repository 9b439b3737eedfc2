import vm from "node:vm";
const HEAD = 1;
const cache = new Map<string, { code: string; data: Buffer | undefined }>();
let hits = 0, misses = 0, rejected = 0;
const { compileFunction, SourceTextModule } = vm as any;
const known = (key: string, code: string) => {
  const found = cache.get(key);
  return found?.code === code ? found.data : undefined;
};
(vm as any).compileFunction = (code: string, params: string[], options: any = {}) => {
  const { filename = "" } = options;
  const cachedData = known(filename, code);
  if (cachedData) {
    hits++;
    const f = compileFunction(code, params, { ...options, cachedData });
    if (f.cachedDataRejected) rejected++;
    return f;
  }
  misses++;
  const f = compileFunction(code, params, { ...options, produceCachedData: true });
  cache.set(filename, { code, data: f.cachedData });
  return f;
};
(vm as any).SourceTextModule = class extends SourceTextModule {
  constructor(code: string, options: any = {}) {
    const key = options.identifier ?? "";
    const cachedData = known(key, code);
    if (cachedData) {
      hits++;
      super(code, { ...options, cachedData });
      return;
    }
    super(code, options);
    misses++;
    cache.set(key, { code, data: (this as any).createCachedData() });
  }
};
process.on("exit", () => { if (process.env["CC_DEBUG"]) console.error("code cache", { hits, misses, rejected, bytes: [...cache.values()].reduce((s, c) => s + (c.data?.length ?? 0), 0) }); });
void HEAD;
