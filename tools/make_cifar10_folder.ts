/**
 * Writes the first pictures of CIFAR-10's classes as PNG files, 40 of each to learn from and 150 to
 * test with, for `train --data`:
 *
 *     deno run --allow-read --allow-write tools/make_cifar10_folder.ts datasets/cifar10 ten
 *     deno run --allow-read --allow-write tools/make_cifar10_folder.ts datasets/cifar10 two cat dog
 *
 * `deno task train --dataset cifar10 --data-dir datasets/cifar10 --download` fetches the data set.
 */
import { openCifar10 } from "../data/datasets.ts";
import { encodePng, type PackedPictures } from "../mod.ts";

const [from, to, ...wanted] = Deno.args;
const { classes, train, test } = await openCifar10({ dataDir: from });
await write("train", train, 40);
await write("test", test, 150);

async function write(part: string, pictures: PackedPictures, each: number): Promise<void> {
  const { width, height } = pictures.packed;
  for (const [label, name] of classes.entries()) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    const own = [...pictures.labels.keys()].filter((k) => pictures.labels[k] === label);
    await Deno.mkdir(`${to}/${part}/${name}`, { recursive: true });
    for (const k of own.slice(0, each)) {
      const png = encodePng({ width, height, data: pictures.image(k) });
      await Deno.writeFile(`${to}/${part}/${name}/${k}.png`, png);
    }
  }
}
