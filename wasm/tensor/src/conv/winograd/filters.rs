//! Transformed filters.
use super::scheme::Scheme;
use super::tile::{spread, Points};
use crate::gemm::pack::transpose_into;
use core::ops::Range;

/// Rows transposed at a time.
const TURNED: usize = 8;

/// Filters of a convolution from `cin` to `cout` channels: `[3, 3, cin, cout]`; or, `turned`, those
/// of the convolution it is the gradient of, `[3, 3, cout, cin]`, each turned by half a circle.
#[derive(Clone, Copy)]
pub struct Filters {
    pub at: *const f32,
    pub cin: usize,
    pub cout: usize,
    pub turned: bool,
}

impl Filters {
    /// Transforms the filters of 16 output channels, a panel, from some input channels. The first
    /// of those goes to `to`, every further one 16 floats on, and points are `point` floats apart.
    ///
    /// # Safety
    /// The filters are there, and `to` has room.
    pub unsafe fn panel<S: Scheme<M, P>, const M: usize, const P: usize>(
        &self,
        panel: usize,
        inputs: Range<usize>,
        to: *mut f32,
        point: usize,
    ) {
        let first = inputs.start;
        let columns = 16.min(self.cout - panel * 16);
        let points = Points { point, panel: 16 };
        // SAFETY: see above.
        unsafe {
            if !self.turned {
                for c in inputs {
                    let tap = |i: usize| {
                        let row = (i * self.cin + c) * self.cout;
                        self.at.wrapping_add(row + panel * 16)
                    };
                    let to = to.add((c - first) * 16);
                    spread(&window(tap), columns, to, points, S::filter);
                }
                return;
            }
            for c in inputs.clone().step_by(TURNED) {
                let count = TURNED.min(inputs.end - c);
                let mut taps = [[0f32; 16 * TURNED]; 9];
                for (i, tap) in taps.iter_mut().rev().enumerate() {
                    let row = (i * self.cout + panel * 16) * self.cin;
                    let (from, to) = (self.at.add(row + c), tap.as_mut_ptr());
                    transpose_into(from, self.cin, (columns, count), to, 16);
                }
                for k in 0..count {
                    let tap = |i: usize| taps[i].as_ptr().wrapping_add(k * 16);
                    let to = to.add((c + k - first) * 16);
                    spread(&window(tap), columns, to, points, S::filter);
                }
            }
        }
    }
}

fn window(tap: impl Fn(usize) -> *const f32) -> [[*const f32; 3]; 3] {
    core::array::from_fn(|y| core::array::from_fn(|x| tap(y * 3 + x)))
}
