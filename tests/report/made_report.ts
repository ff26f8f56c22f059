/** Report data that no training made: of many classes, and with names that are no names. */
import { Random } from "../../core/rng.ts";
import type { ReportData, ReportEpoch } from "../../report/data.ts";
import { pngUrl } from "../../report/png_url.ts";
import { encodePng } from "../../wasm/image.ts";
import { measured } from "./scores.ts";

/** A picture of one colour. */
export const grey = pngUrl(
  encodePng({ width: 8, height: 8, data: new Uint8Array(64).fill(128) }),
);

/** Twenty pictures of each of many classes, most of them told right, neighbours mistaken. */
export function manyClasses(count: number, pictures = 20): ReportData {
  const random = new Random(7, "classes"),
    names = Array.from(
      { length: count },
      (_, k) => k % 9 === 4 ? `a species with a rather long name, number ${k}` : `species ${k}`,
    );
  const truths = Array.from({ length: count * pictures }, (_, k) => k % count);
  const probabilities = truths.map((truth) => {
    const said = random.uniform() < 0.7 ? truth : (truth + 1 + random.below(4)) % count;
    const sure = 0.4 + 0.6 * random.uniform(), rest = (1 - sure) / (count - 1);
    return names.map((_, k) => k === said ? sure : rest);
  });
  return {
    run: { model: "resnet18", dataset: "a folder of species", classes: count, epochs: 60 },
    epochs: Array.from({ length: 60 }, (_, k) => epochOf(k + 1)),
    measured: { part: "validation", pictures: truths.length },
    ...measured(probabilities, truths, names),
  };
}

/** Epoch 30 went wrong, as one can. */
function epochOf(epoch: number): ReportEpoch {
  const loss = epoch === 30 ? NaN : 4.6 * Math.exp(-epoch / 20), accuracy = 1 - loss / 6;
  return {
    epoch,
    training: { loss, accuracy },
    validation: { loss: loss + 0.2, accuracy: accuracy - 0.05 },
    test: { loss: loss + 0.3, accuracy: accuracy - 0.07 },
  };
}

/** What somebody may name a class or a file. */
export const hostile =
  `"><img src=http://127.0.0.1:9/x onerror=alert(1)><script>alert(2)</script>'&amp; \u202e \u0000`;

/** Every text of a report is hostile. */
export function hostileReport(): ReportData {
  const picture = {
    ...{ image: grey, name: hostile, truth: hostile },
    guesses: [{ label: hostile, probability: 1 }],
  };
  return {
    run: {
      ...{ name: hostile, model: hostile, dataset: hostile, device: hostile, version: hostile },
      started: hostile,
    },
    epochs: [{ epoch: 1, training: { loss: 1 } }],
    stages: [{ name: hostile, decisions: [{ decision: hostile, reason: hostile }] }],
    measured: { part: hostile, pictures: 1 },
    confusion: [[1, 1], [0, 1]],
    classes: [{ name: hostile, support: 2 }, { name: `${hostile} 2`, support: 1 }],
    predictions: [picture],
    mistakes: [picture],
    explained: [{ ...picture, heat: grey, target: `${hostile} 2` }],
    notes: [hostile],
    skipped: [{ name: hostile, reason: hostile }],
    settings: { [hostile]: hostile },
  };
}
