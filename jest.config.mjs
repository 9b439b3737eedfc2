import { jestConfig } from "@valence/runtime/testing/jest";

export default jestConfig({
  ignore: [
    "<rootDir>/benchmarks/peers",
    "<rootDir>/docs/site",
    "<rootDir>/data",
    "<rootDir>/(mixins|client)/(dist|\\.build-)",
  ],
});
