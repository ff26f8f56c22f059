//! The rank of the label among the logits: top-k accuracy without sorting.
use crate::threads;
use wasm_bindgen::prelude::*;

/// For every row the number of classes that beat the label's: a greater logit, or an equal one of a
/// lower index. NaN beats everything, as in a sort that puts it first, and a label whose own logit
/// is NaN comes last. -1 for the ignored label, NaN for a label that is no class.
#[wasm_bindgen]
pub fn label_rank(
    logits: *const f32,
    labels: *const i32,
    rank: *mut f32,
    rows: usize,
    classes: usize,
    ignore: i32,
) {
    let (size, count) = crate::softmax::row_chunks(rows, classes);
    // SAFETY: TypeScript has checked the sizes; every task writes its own rows.
    unsafe {
        threads::run(rows as u64 * classes as u64 * 2, count, &|task| {
            let first = task as usize * size;
            for row in first..rows.min(first + size) {
                let label = *labels.add(row);
                *rank.add(row) = match usize::try_from(label) {
                    _ if label == ignore => -1.0,
                    Ok(label) if label < classes => {
                        beaten(logits.add(row * classes), label, classes)
                    }
                    _ => f32::NAN,
                };
            }
        });
    }
}

#[inline(never)]
unsafe fn beaten(x: *const f32, label: usize, classes: usize) -> f32 {
    let mut count = 0;
    // SAFETY: the row has `classes` logits, and the label is one of them.
    unsafe {
        let own = *x.add(label);
        for class in 0..classes {
            let other = *x.add(class);
            // Written so that NaN on either side counts.
            let loses = other < own || (other == own && class > label);
            count += (class != label && !loses) as u32;
        }
    }
    count as f32
}
