/** Packages of Debian, for the set-ups of benchmarks and fixtures. */

/** Runs a command with its output shown; false where it fails or does not exist. */
export async function run(command: string, ...args: string[]): Promise<boolean> {
  console.error(`$ ${command} ${args.join(" ")}`);
  try {
    const env = { DEBIAN_FRONTEND: "noninteractive" };
    const child = new Deno.Command(command, { args, env, stdin: "null" }).spawn();
    return (await child.status).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Whether a command succeeds, without a word. */
export async function works(command: string, ...args: string[]): Promise<boolean> {
  try {
    const quiet = { stdin: "null", stdout: "null", stderr: "null" } as const;
    return (await new Deno.Command(command, { args, ...quiet }).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Installs packages that are not there yet; false where the system is no Debian, or refuses. */
export async function installDebian(...packages: string[]): Promise<boolean> {
  if (await works("dpkg-query", "-W", ...packages)) return true;
  if (!await works("apt-get", "--version")) return false;
  const asRoot = Deno.uid() === 0 ? [] : ["sudo"];
  const apt = (...args: string[]): Promise<boolean> => {
    const [command, ...rest] = [...asRoot, "apt-get", ...args];
    return run(command, ...rest);
  };
  await apt("update", "-qq");
  return await apt("install", "-y", "-qq", "--no-install-recommends", ...packages);
}
