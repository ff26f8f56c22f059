/**
 * Models for other runtimes, as ONNX files. An entry of its own: whoever only trains and predicts
 * does not load it.
 *
 * @module
 */
export { exportOnnx, type ExportOnnxOptions, type OnnxPixels } from "./onnx/export.ts";
