// Before a whole run: jest's workers are processes that it starts, too. A run whose events are to go by Kafka does not begin where
// there can be none.
import "../servers/processes.ts";
import { isOnKafka } from "../servers/kafka.ts";
import { fetchKafka, kafkaMissing } from "../servers/kafka-jars.ts";

export default function setup(): void {
  if (!isOnKafka()) return;
  const reason = kafkaMissing();
  if (reason !== undefined) throw new Error(`TEST_CARRIER=kafka: ${reason}`);
  fetchKafka();
}
