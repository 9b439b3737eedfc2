import Type from "typebox";

/**
 * URL of a product's picture: https, or a path of ours. Two slashes, or a slash and a backslash, which browsers read as
 * one, would begin another host's name. No character in it is invisible or changes the direction of the text.
 */
export const Image = Type.String({ maxLength: 500, pattern: "^(https://[^\\s\\p{C}]+|/(?![/\\\\])[^\\s\\p{C}]*)$" });
