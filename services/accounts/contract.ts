export { contract } from "@valence/runtime/accounts";
