import { Actors } from "@valence/runtime/actor/mixin";
import { defineService } from "@valence/runtime/contract";
import { Account } from "./account.ts";
import { contract } from "./contract.ts";

export default defineService(contract, { mixins: [Actors(Account)] });
