/**
 * The form of an e-mail address, for the environment and for every contract: an address that only one of them takes
 * would be stuck between the two. No character in it is invisible: two addresses that look the same would be two
 * accounts. So would `<ann@example.com>` and `ann@example.com`: the characters by which a mail's headers set addresses apart, group
 * and quote them (RFC 5322, 3.2.3) are not in one.
 */
export const EMAIL =
  /^(?=.{3,254}$)[^\s\p{C}\p{Default_Ignorable_Code_Point}@<>()[\]\\,;:"]{1,64}@[^\s\p{C}\p{Default_Ignorable_Code_Point}@.<>()[\]\\,;:"]{1,63}(\.[^\s\p{C}\p{Default_Ignorable_Code_Point}@.<>()[\]\\,;:"]{1,63})+$/u;
