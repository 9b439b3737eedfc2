export { accounts as default } from "@valence/runtime/accounts/mixin";
