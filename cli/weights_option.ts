/** The option that names a model file, alike in every command that takes one. */
import { path } from "./options.ts";

/** `--weights FILE`. */
export const weightsOption = path({
  help: "model file",
  unset: "the newest run's best, else built-in",
  valueName: "FILE",
});
