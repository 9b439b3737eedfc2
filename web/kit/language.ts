/** Language of the pages: the numbers in its sentences are written as it writes them, so that a prerendered page has the same ones. */
export const LANGUAGE = "en";
