export { freeze, freezeActor } from "./freeze.ts";
export { checkFrozen, checkGolden } from "./golden.ts";
