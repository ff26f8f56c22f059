/** Pictures: the floor above finds the decoder here. */
export { cropImage, decodeImage, type Image, resizeImage } from "../wasm/image.ts";
