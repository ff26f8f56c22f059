/** What a command declares that it needs, and what its task in `deno.json` allows, are one. */
import assert from "node:assert/strict";
import { type AnyCommand, commonPermissions } from "../../cli/command.ts";
import { tasks } from "../../cli/identity.ts";
import { covers, parseFlags, type Permissions, withMore } from "../../cli/permission_flags.ts";
import { projectFiles, root } from "./project_files.ts";

/** The command of each entry file, by its name. */
async function commands(): Promise<Map<string, AnyCommand>> {
  const names = (await projectFiles()).flatMap((path) =>
    /^cli\/(\w+)_main\.ts$/.exec(path)?.[1] ?? []
  );
  assert(names.includes("train") && names.length > 3, `${names}`);
  const found = new Map<string, AnyCommand>();
  for (const name of names) {
    const module = await import(`../../cli/${name}_main.ts`) as { readonly command: AnyCommand };
    found.set(name, module.command);
  }
  return found;
}

/** Everything the flags allow; those for one kind of thing add up. */
const allowed = (flags: readonly string[]): Permissions =>
  flags.reduce<Permissions>((sum, flag) => withMore(sum, parseFlags([flag], root)), new Map());

const flagsOf = (task: string): readonly string[] => task.match(/--allow-\S+/g) ?? [];

const declared = ({ permissions, optionalPermissions = [] }: AnyCommand): Permissions =>
  allowed([...permissions, ...optionalPermissions, ...commonPermissions]);

Deno.test("permissions: a task allows what its command declares, and nothing else", async () => {
  for (const [name, command] of await commands()) {
    const task = tasks.get(name) ?? "";
    assert(task.includes(` cli/${name}.ts `), `deno.json has no task for cli/${name}.ts`);
    const given = allowed(flagsOf(task)), wanted = declared(command);
    assert(covers(given, wanted), `${name} declares more than its task allows: ${task}`);
    assert(covers(wanted, given), `${name} declares less than its task allows: ${task}`);
  }
});

Deno.test("permissions: examples of help ask for nothing that their command does not", async () => {
  const all = await commands();
  for (const [own, { examples }] of all) {
    for (const { name = own, more = [] } of examples) {
      const command = all.get(name);
      assert(command && covers(declared(command), allowed(more)), `${own}: ${more}`);
    }
  }
});
