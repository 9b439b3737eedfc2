// The door for sibling floors and `broker/`: the check of access tokens, which a service leaves to them.
export { TokenVerifier, type TokenVerifierOptions, type VerifiedToken } from "./token-verifier.ts";
