/** Pictures: the floor above finds the decoder here. */
export {
  type Box,
  cropImage,
  decodeImage,
  type DecodeOptions,
  type Filter,
  type Format,
  type Image,
  type ImageInfo,
  imageInfo,
  resizeImage,
} from "../wasm/image.ts";
