//! Tensor kernels of the CPU backend.
//!
//! Every export is a free function over raw byte addresses in linear memory: tensors are dense
//! row-major `f32`, images are NHWC, convolution weights are `[kh, kw, cin / groups, cout]`.
//! TypeScript has checked shapes, sizes and alignment before it calls; nothing here panics.
//!
//! Three facts of the machine shape all kernels:
//! - V8 keeps about 15 vector registers: a kernel holds eight or nine accumulators, never more.
//! - V8 swaps optimised code in at the next *call*: hot loops are functions of their own, never
//!   inlined into a driver that runs for long.
//! - Any buffer may be *read* up to 64 bytes past its end ([`memory::alloc`] leaves that room), so
//!   a last vector or tile may load too much, as long as it stores only what belongs to it.
//!
//! Parallel work is cut into chunks chosen from the shape alone, and partial sums are combined in
//! a fixed order: the number of threads never changes a bit of any result.
#![deny(unsafe_op_in_unsafe_fn)]
// Exports take raw addresses by design and wasm-bindgen exports only safe functions.
#![allow(clippy::not_unsafe_ptr_arg_deref)]
// Kernels take whole geometries as plain numbers, as the typed TypeScript side passes them.
#![allow(clippy::too_many_arguments)]
#![cfg_attr(feature = "threads", feature(stdarch_wasm_atomic_wait))]

mod batch_norm;
mod conv;
mod copy;
mod cross_entropy;
mod gemm;
mod map;
mod math;
mod memory;
mod pixels;
mod pooling;
mod rank;
mod reduce;
mod simd;
mod soft_cross_entropy;
mod softmax;
mod threads;
mod uniform;
