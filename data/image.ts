/** Pictures: the floor above finds the decoder here. */
export {
  type Box,
  cropImage,
  decodeImage,
  type DecodeOptions,
  type Filter,
  type Image,
  type ImageFormat,
  imageFormats,
  type ImageInfo,
  imageInfo,
  resizeImage,
} from "../wasm/image.ts";
