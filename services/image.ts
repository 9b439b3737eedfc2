import Type from "typebox";

/**
 * Where a product's picture is: https, or a path of ours. Two slashes, or a slash and a backslash, which browsers read
 * as one, would begin another host's name.
 */
export const Image = Type.String({ maxLength: 500, pattern: "^(https://[^\\s]+|/(?![/\\\\])[^\\s]*)$" });
