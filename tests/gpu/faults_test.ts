/** Faults of a device as browsers tell of them: after the rejection, or not at all. */
import assert from "node:assert/strict";
import { Faults } from "../../gpu/faults.ts";

/** As much of a device as tells of faults. */
class FakeDevice extends EventTarget {
  readonly #loss = Promise.withResolvers<GPUDeviceLostInfo>();
  listeners = 0;

  get lost(): Promise<GPUDeviceLostInfo> {
    return this.#loss.promise;
  }

  override addEventListener(...words: Parameters<EventTarget["addEventListener"]>): void {
    this.listeners++;
    super.addEventListener(...words);
  }

  override removeEventListener(...words: Parameters<EventTarget["removeEventListener"]>): void {
    this.listeners--;
    super.removeEventListener(...words);
  }

  lose(info: { readonly message: string; readonly reason?: string }): void {
    this.#loss.resolve(info as GPUDeviceLostInfo);
  }

  report(message: string): void {
    const error: GPUError = { message };
    this.dispatchEvent(Object.assign(new Event("uncapturederror"), { error }));
  }
}

function open(): { readonly device: FakeDevice; readonly faults: Faults } {
  const device = new FakeDevice();
  return { device, faults: new Faults(device as EventTarget as GPUDevice, "a card") };
}

/** What a read that was rejected says, and after how many milliseconds. */
async function afterRejection(faults: Faults): Promise<[message: string, ms: number]> {
  const began = performance.now();
  const { message } = await faults.afterRejection("read", new Error("map failed"));
  return [message, performance.now() - began];
}

Deno.test("faults: a loss that is told after the rejection is what is raised", async () => {
  const { device, faults } = open();
  // Firefox takes 36 ms.
  setTimeout(() => device.lose({ reason: "unknown", message: "power" }), 40);
  const lost = "Cannot read: a card was lost (unknown: power), a newly opened device is wanted";
  const [message, ms] = await afterRejection(faults);
  assert.equal(message, lost);
  assert(ms < 400, `${ms} ms`);
  // It stays lost, and nobody waits again.
  const [again, soon] = await afterRejection(faults);
  assert.equal(again, lost);
  assert(soon < 30, `${soon} ms`);
});

Deno.test("faults: an error that is told after the rejection is raised once", async () => {
  const { device, faults } = open();
  for (const text of ["no\n  memory", "no memory again"]) {
    setTimeout(() => device.report(text), 20);
    const [message, ms] = await afterRejection(faults);
    assert.match(message, /^Cannot read: a card reported an error: no(; )? ?memory/);
    assert(ms < 400, `${ms} ms`);
    faults.check("run");
  }
});

Deno.test("faults: a rejection that nothing explains speaks for itself after half a second", async () => {
  const [message, ms] = await afterRejection(open().faults);
  assert.equal(message, "Cannot read: a card refused: map failed");
  assert(ms > 300 && ms < 2000, `${ms} ms`);
});

Deno.test("faults: closing ends the wait, and nothing is listened to after it", async () => {
  const { device, faults } = open();
  assert.equal(device.listeners, 1);
  setTimeout(() => faults.close(), 20);
  const [message, ms] = await afterRejection(faults);
  assert.equal(message, "Cannot read: the device was closed");
  assert(ms < 400, `${ms} ms`);
  assert.equal(device.listeners, 0);
  // What Dawn says of a device that was closed must not be looked at: it is freed memory by then.
  let looked = false;
  device.lose({
    get message() {
      looked = true;
      return "";
    },
  });
  await new Promise((resolve) => setTimeout(resolve, 10));
  assert(!looked);
});
