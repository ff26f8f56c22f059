/** Numbers as people read them: those of reports, and sizes. */

export { formatBytes } from "./std.ts";
export {
  formatClock,
  formatCount,
  formatDuration,
  formatLoss,
  formatPercent,
  formatRate,
} from "../report/format.ts";
