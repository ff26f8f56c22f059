/** `1337` → `1.34 kB` (decimal units) or `1.31 KiB` (`binary`). */
export function format(bytes: number, options?: { readonly binary?: boolean }): string;
