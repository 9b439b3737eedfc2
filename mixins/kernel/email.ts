/** What counts as an e-mail address, for the environment and for every contract: one that only one of them takes is stuck between the two. */
export const EMAIL = /^(?=.{3,254}$)[^\s@]{1,64}@[^\s@.]{1,63}(\.[^\s@.]{1,63})+$/;
