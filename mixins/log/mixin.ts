// The logger of a broker, on whose options `mixins/broker` puts it.
export { BrokerLog, brokerLog, levelsOf } from "./broker-log.ts";
