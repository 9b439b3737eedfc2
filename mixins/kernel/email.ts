/**
 * What counts as an e-mail address, for the environment and for every contract: one that only one of them takes is stuck
 * between the two. Nothing in it is invisible: two addresses that look the same would be two accounts.
 */
export const EMAIL =
  /^(?=.{3,254}$)[^\s\p{C}\p{Default_Ignorable_Code_Point}@]{1,64}@[^\s\p{C}\p{Default_Ignorable_Code_Point}@.]{1,63}(\.[^\s\p{C}\p{Default_Ignorable_Code_Point}@.]{1,63})+$/u;
