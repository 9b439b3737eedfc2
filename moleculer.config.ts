import { brokerOptions } from "./broker/index.ts";
import { readEnvironment } from "./mixins/kernel/index.ts";

export default brokerOptions(readEnvironment());
