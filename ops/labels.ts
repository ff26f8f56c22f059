/** Checks of class labels, shared by losses and metrics. */
import { ShapeError } from "../core/errors.ts";
import { sameShape, show, type Type } from "../core/shape.ts";
import { checkDType } from "./check.ts";

/** @throws {ShapeError} unless labels are i32 of the logits' shape without its last axis */
export function checkLabels(action: string, where: string, logits: Type, labels: Type): void {
  checkDType(action, where, "logits", logits);
  checkDType(action, where, "labels", labels, "i32");
  if (logits.shape.length === 0) {
    throw new ShapeError(
      `Cannot ${action}${where}: logits are a scalar, an axis of classes is wanted`,
    );
  }
  const wanted = logits.shape.slice(0, -1);
  if (!sameShape(labels.shape, wanted)) {
    throw new ShapeError(
      `Cannot ${action}${where}: labels ${show(labels.shape)} do not fit logits ${
        show(logits.shape)
      }, ${show(wanted)} is wanted`,
    );
  }
}

/** @throws {ShapeError} unless it fits into an i32 label */
export function checkIgnoreIndex(action: string, where: string, ignoreIndex: number): void {
  if ((ignoreIndex | 0) === ignoreIndex) return;
  throw new ShapeError(
    `Cannot ${action}${where}: ignoreIndex is ${ignoreIndex}, a whole number of 32 bits is wanted`,
  );
}
