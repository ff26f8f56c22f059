/** Number of insertions, deletions and substitutions that turn one text into the other. */
export function levenshteinDistance(left: string, right: string): number;
