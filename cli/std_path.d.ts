/** `file:///a/b` → `/a/b`; `C:\a` on Windows. */
export function fromFileUrl(url: string | URL): string;
/** Whether the path starts at the root of a file system. */
export function isAbsolute(path: string): boolean;
/** The parts as one path, `.` and `..` resolved. */
export function join(path: string, ...paths: string[]): string;
/** The path that leads from one folder to another place. */
export function relative(from: string, to: string): string;
/** `/a/b` → `file:///a/b`. */
export function toFileUrl(path: string): URL;
