import Type from "typebox";

/**
 * Where a product's picture is: https, or a path of ours. Two slashes, or a slash and a backslash, which browsers read
 * as one, would begin another host's name. Nothing in it is invisible, or turns the line that shows it.
 */
export const Image = Type.String({ maxLength: 500, pattern: "^(https://[^\\s\\p{C}]+|/(?![/\\\\])[^\\s\\p{C}]*)$" });
