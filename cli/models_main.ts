/** Models: the architectures of the table, and what they cost. */
import { describeModel } from "../models/describe.ts";
import { type ModelName, models } from "../models/models.ts";
import { defineCommand } from "./command.ts";
import { outputOptions } from "./common_options.ts";
import { jsonLine } from "./printable.ts";
import { tableOf } from "./table.ts";
import { names } from "./training_options.ts";

/** The command. */
export const command = defineCommand({
  name: "models",
  summary: "List the architectures, and what they cost",
  examples: [
    { words: [], note: "name, parameters, multiply-adds of a picture, size of the picture" },
    { words: ["--json"], note: "one object a line, with their preparation" },
  ],
  permissions: [],
  positionals: {},
  options: { ...outputOptions },
  run: ({ options }, { out }): Promise<void> => {
    const rows = names(models).map(describe);
    if (options.json) { for (const row of rows) out.line(jsonLine(row)); }
    else {
      const lines = rows.map(({ model, parameters, multiply_adds, height, width }) => [
        model,
        inMillions(parameters),
        inMillions(multiply_adds),
        `${height}×${width}`,
      ]);
      const head = ["model", "parameters", "multiply-adds", "picture"];
      for (const line of tableOf(head, lines, "lrrr")) out.line(line);
    }
    return Promise.resolve();
  },
});

function describe(model: ModelName) {
  const { preparation, classes, summary, create } = models[model];
  const { parameters, multiplyAdds } = describeModel(create({ classes }));
  const { height, width } = preparation;
  return {
    ...{ model, parameters, multiply_adds: multiplyAdds, height, width, classes },
    ...{ preparation, summary },
  };
}

/** `11.69 M`. */
function inMillions(count: number): string {
  const millions = count / 1e6, decimals = millions < 10 ? 2 : millions < 100 ? 1 : 0;
  return `${millions.toLocaleString("en", { maximumFractionDigits: decimals })} M`;
}
