/** The backends of this machine, for tests that run on each of them. */
import { type Device, deviceOn } from "../../core/device.ts";
import { DeviceError } from "../../core/errors.ts";
import { openGpu } from "../../gpu/backend.ts";
import { openWasm } from "../../wasm/backend.ts";

/** Kinds of devices that tests run on. */
export type Kind = Device["kind"];

/**
 * Kinds that must be there, from the environment variable `FOVEA_REQUIRE` (such as
 * `webgpu,wasm`); read only where that is allowed, so that tests ask for nothing.
 */
function requiredKinds(): readonly string[] {
  const { state } = Deno.permissions.querySync({ name: "env", variable: "FOVEA_REQUIRE" });
  if (state !== "granted") return [];
  return (Deno.env.get("FOVEA_REQUIRE") ?? "").split(",").map((kind) => kind.trim());
}

/** The devices of one test file; it counts the tests that a missing device skips. */
export class TestDevices {
  #skipped = 0;

  constructor(readonly all: readonly Device[], readonly missing: readonly Kind[]) {
    globalThis.addEventListener("unload", () => this.#close());
  }

  /** Registers a test once per device. */
  test(name: string, run: (device: Device) => Promise<void>): void {
    // Threads and compiled kernels outlive a test on purpose.
    const shared = { sanitizeOps: false, sanitizeResources: false };
    for (const device of this.all) {
      Deno.test({ name: `${name} on ${device.kind}`, ...shared, fn: () => run(device) });
    }
    for (const kind of this.missing) {
      this.#skipped++;
      Deno.test({ name: `${name} on ${kind}`, ignore: true, fn: () => {} });
    }
  }

  #close(): void {
    if (this.#skipped > 0) {
      console.log(
        `${this.#skipped} tests were skipped: no ${this.missing.join(" and ")} device here`,
      );
    }
    for (const device of this.all) device[Symbol.dispose]();
  }
}

/**
 * Opens every backend once.
 *
 * @throws {DeviceError} when a device that `FOVEA_REQUIRE` names is missing
 */
export async function openTestDevices(): Promise<TestDevices> {
  const gpu = await openGpu(), missing: Kind[] = gpu ? [] : ["webgpu"];
  const required = requiredKinds();
  const absent = missing.find((kind) => required.includes(kind));
  if (absent) {
    throw new DeviceError(
      `Cannot test on ${absent}: there is no such device, FOVEA_REQUIRE wants one`,
    );
  }
  const all = [deviceOn(openWasm())];
  if (gpu) all.push(deviceOn(gpu));
  return new TestDevices(all, missing);
}
