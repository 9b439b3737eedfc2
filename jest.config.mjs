// Node strips the types itself and jest runs ES modules as they are: no transform, so tests run what production runs.
export default {
  testEnvironment: "node",
  testMatch: ["**/*.test.ts"],
  extensionsToTreatAsEsm: [".ts"],
  transform: {},
  modulePathIgnorePatterns: ["<rootDir>/benchmarks/peers", "<rootDir>/data"],
  maxWorkers: 2,
  testTimeout: 60_000,
};
