/** Pictures: the floor above finds the decoder here. */
export {
  type Box,
  cropImage,
  decodeImage,
  type DecodeOptions,
  type Effort,
  encodePng,
  type Filter,
  type Image,
  type ImageFormat,
  imageFormats,
  type ImageInfo,
  imageInfo,
  type Raster,
  resizeImage,
} from "../wasm/image.ts";
