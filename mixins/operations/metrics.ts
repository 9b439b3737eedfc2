// Metrics of the doctor, which the node with the operations tells for all others.
import { defineMetrics } from "../kernel/index.ts";
import { CHECKS } from "./doctor/checks.ts";

const check = Object.values(CHECKS).flatMap(checks => Object.keys(checks));

export const operationsMetrics = defineMetrics("The doctor", {
  findings: {
    type: "gauge",
    name: "valence_doctor_findings",
    help: "Findings of the last examination in the background, by check and by how bad they are; whole of the system",
    labels: { check, status: ["warn", "FAIL"] },
    over: "max",
  },
  clockSkew: {
    type: "gauge",
    name: "valence_clock_skew_seconds",
    help: "Largest difference of another node's clock from that of the node with the operations, less the error of the measurement; of the whole system",
    over: "max",
  },
  examined: {
    type: "gauge",
    name: "valence_doctor_examined_seconds",
    help: "Time since the last examination in the background",
    over: "min",
  },
});
