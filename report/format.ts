/** Numbers as people read them: in reports, and on the command line. */

/** `12345` → `12,345`. */
export function formatCount(count: number): string {
  return Math.round(count).toLocaleString("en-US");
}

/** A loss with four decimals, in powers of ten where those would hide it; `NaN` stays readable. */
export function formatLoss(loss: number): string {
  const size = Math.abs(loss);
  return size !== 0 && (size < 1e-3 || size >= 1e5) ? loss.toExponential(2) : loss.toFixed(4);
}

/** `0.8512` → `85.1 %`. */
export function formatPercent(fraction: number, decimals = 1): string {
  return `${(100 * fraction).toFixed(decimals)} %`;
}

/** Seconds: `0.82 s`, `12.3 s`, `1:05`, `2:03:09`. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return "?";
  if (seconds < 9.995) return `${seconds.toFixed(2)} s`;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  return formatClock(seconds);
}

/** Seconds as a clock: `0:07`, `1:05`, `2:03:09`. */
export function formatClock(seconds: number): string {
  if (!Number.isFinite(seconds)) return "?";
  const whole = Math.round(seconds);
  const two = (part: number) => String(part).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours > 0
    ? `${hours}:${two(minutes)}:${two(whole % 60)}`
    : `${minutes}:${two(whole % 60)}`;
}

/** Images in a second: `12,345 img/s`, `3.4 img/s`. */
export function formatRate(imagesPerSecond: number): string {
  const isSlow = imagesPerSecond < 99.5;
  return `${isSlow ? imagesPerSecond.toFixed(1) : formatCount(imagesPerSecond)} img/s`;
}

/** A number by one of the others; a dash where there is none. */
export function orDash(value: number | undefined, format: (value: number) => string): string {
  return value === undefined || !Number.isFinite(value) ? "–" : format(value);
}
