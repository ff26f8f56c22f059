/** Checks that several operations share. */
import { ShapeError } from "../core/errors.ts";
import type { DType, Type } from "../core/shape.ts";
import { show } from "../core/shape.ts";

/** @throws {ShapeError} when an input is not of the wanted element type */
export function checkDType(
  action: string,
  where: string,
  name: string,
  type: Type,
  wanted: DType = "f32",
): void {
  if (type.dtype === wanted) return;
  throw new ShapeError(
    `Cannot ${action}${where}: ${name} ${
      show(type.shape)
    } holds ${type.dtype}, ${wanted} is wanted`,
  );
}

/** @throws {ShapeError} when an input has not the wanted number of axes */
export function checkRank(
  action: string,
  where: string,
  name: string,
  type: Type,
  wanted: number,
  axes: string,
): void {
  if (type.shape.length === wanted) return;
  throw new ShapeError(
    `Cannot ${action}${where}: ${name} ${show(type.shape)} has ${type.shape.length} axes, ` +
      `${wanted} are wanted (${axes})`,
  );
}
