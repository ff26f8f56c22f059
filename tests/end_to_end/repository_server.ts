/** The repository over http, as a tag of it would be served to those who import it by URL. */
import { extname, join } from "node:path";
import { projectFiles } from "../rules/project_files.ts";
import { root } from "./processes.ts";

const contentTypes: Readonly<Record<string, string>> = {
  ".ts": "application/typescript",
  ".js": "text/javascript",
  ".json": "application/json",
  ".wasm": "application/wasm",
};

/** Files that git tracks: what somebody else would get. Every file where there is no git. */
export async function trackedFiles(): Promise<ReadonlySet<string>> {
  try {
    const args = ["-C", root, "ls-files"];
    const { success, stdout } = await new Deno.Command("git", { args, stderr: "null" }).output();
    if (success) return new Set(new TextDecoder().decode(stdout).trim().split("\n"));
  } catch {
    // Falls through: the project came without git, or this machine has none.
  }
  return new Set(await projectFiles());
}

/** A server of the tracked files; `asked` lists the paths that were served. */
export interface RepositoryServer extends AsyncDisposable {
  /** `127.0.0.1:PORT`, as `--allow-import` wants it. */
  readonly host: string;
  readonly asked: readonly string[];
}

/** Starts to serve on a free port of this machine. */
export async function serveRepository(): Promise<RepositoryServer> {
  const files = await trackedFiles(), asked: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async ({ url }) => {
    const path = decodeURIComponent(new URL(url).pathname.slice(1));
    if (!files.has(path)) return new Response(`no file ${path}`, { status: 404 });
    asked.push(path);
    const type = contentTypes[extname(path)] ?? "application/octet-stream";
    return new Response(await Deno.readFile(join(root, path)), {
      headers: { "content-type": type },
    });
  });
  return {
    host: `127.0.0.1:${server.addr.port}`,
    asked,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}
