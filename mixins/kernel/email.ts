/**
 * The form of an e-mail address, for the environment and for every contract: an address that only one of them takes
 * would be stuck between the two. No character in it is invisible: two addresses that look the same would be two
 * accounts.
 */
export const EMAIL =
  /^(?=.{3,254}$)[^\s\p{C}\p{Default_Ignorable_Code_Point}@]{1,64}@[^\s\p{C}\p{Default_Ignorable_Code_Point}@.]{1,63}(\.[^\s\p{C}\p{Default_Ignorable_Code_Point}@.]{1,63})+$/u;
