// Before the tests of Kafka: fetches it, or says why they are skipped.
import { fetchKafka, kafkaMissing } from "../servers/kafka-jars.ts";
import { SKIPPED } from "./skipped.ts";

export default function setup(): void {
  const reason = kafkaMissing();
  if (reason === undefined) return fetchKafka();
  process.env[SKIPPED.kafka] = reason;
  console.error(`\nThe tests of Kafka are skipped: ${reason}.`);
}
