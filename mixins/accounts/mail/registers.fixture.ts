// A process of its own that registers a person, and sends their mail until it is killed.
import { ServiceBroker } from "moleculer";
import { brokerOptions } from "../../broker/index.ts";
import { typedCall } from "../../contract/index.ts";
import { readEnvironment } from "../../kernel/index.ts";
import { Accounts } from "../accounts.ts";
import { accountsContract } from "../contract.ts";

const { PATH: _path, ...env } = process.env;
const broker = new ServiceBroker({ ...brokerOptions(readEnvironment(env)), logger: false });
broker.createService(Accounts(accountsContract({ roles: [] }), { firstAdministrator: () => false }));
await broker.start();
await typedCall(broker)("accounts.register", { email: "ada@example.com", password: "correct horse", name: "Ada" });
// A process that nobody kills ends by itself.
setTimeout(() => process.exit(1), 30_000);
