/** Reports of trainings. */
export * from "./data.ts";
export { type GatheredReport, type GatherOptions, gatherReport } from "./gather.ts";
export { renderReport } from "./render.ts";
export { parseReportData } from "./check.ts";
export { pngUrl } from "./png_url.ts";
export {
  contactSheet,
  type ContactSheetOptions,
  mixedLabel,
  type Sheet,
  type SheetPicture,
} from "./contact_sheet.ts";
