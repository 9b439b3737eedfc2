import { expect, test } from "@jest/globals";
import { problemOf } from "./problems.ts";

/** An error as the client nests it. */
const nested = (inner: Error): Error =>
  new AggregateError(
    [new Error("Connection to kafka-1:9092 failed.", { cause: inner })],
    "Cannot connect to any broker.",
  );
const error = (message: string, fields: object = {}): Error => Object.assign(new Error(message), fields);

test.each([
  ["CERT_HAS_EXPIRED", error("certificate has expired", { code: "CERT_HAS_EXPIRED" }), /has expired.*another one/],
  [
    "a refused certificate",
    error("ssl/tls alert certificate unknown:../deps/rec_layer_s3.c:918", {
      code: "ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_UNKNOWN",
    }),
    /refuse the certificate of this process.*KAFKA_CERT/,
  ],
  ["an authority", error("x", { code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE" }), /does not know.*KAFKA_CA/],
  ["no TLS", error("TLS handshake failed.", { cause: error("", { code: "ECONNRESET" }) }), /has no TLS.*KAFKA_TLS/],
  [
    "a port",
    error("connect ECONNREFUSED", { code: "ECONNREFUSED", address: "10.0.0.7", port: 9092 }),
    /nothing listens at 10\.0\.0\.7:9092.*KAFKA_BROKERS/,
  ],
  ["a password", error("SASL", { apiId: "SASL_AUTHENTICATION_FAILED" }), /user or its password.*KAFKA_PASSWORD/],
  ["copies", error("x", { apiId: "NOT_ENOUGH_REPLICAS_AFTER_APPEND" }), /min\.insync\.replicas/],
])("%s is told in words, with what to do", (_, inner, words) => {
  const { message, advice } = problemOf(nested(inner));
  expect(`${message} → ${advice}`).toMatch(words);
});

test("an unknown error is told by its innermost message; errors in a circle end, and so does what is no error", () => {
  expect(problemOf(nested(error("a  new\nthing"))).message).toBe("a new thing");
  const circle = error("outer");
  circle.cause = error("inner", { cause: circle });
  expect(problemOf(circle).message).toMatch(/outer|inner/);
  expect(problemOf("a text").message).toBe("a text");
});
