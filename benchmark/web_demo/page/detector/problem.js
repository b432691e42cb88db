/** Something that the user can put right: one line says what was expected, what was found and what to do. */
export class Problem extends Error {}
