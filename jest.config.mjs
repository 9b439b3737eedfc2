import { jestConfig } from "@valence/runtime/testing/jest";

export default jestConfig({
  ignore: ["<rootDir>/benchmarks/peers", "<rootDir>/data", "<rootDir>/(mixins|client)/(dist|\\.build-)"],
});
