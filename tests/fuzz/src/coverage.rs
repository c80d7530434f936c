//! What a build with coverage tells: `cargo xtask fuzz` compiles our crates with LLVM's counters (SanitizerCoverage,
//! inline 8-bit counters), which need no other toolchain and no other engine. In any other build there are none.

#![expect(unsafe_code, reason = "the counters are memory that the instrumented code writes to")]

use std::sync::Mutex;

/// Where the counters of each object lie: address and number.
static REGIONS: Mutex<Vec<(usize, usize)>> = Mutex::new(Vec::new());

/// Called by the instrumented objects before the program begins.
#[unsafe(no_mangle)]
extern "C" fn __sanitizer_cov_8bit_counters_init(start: *mut u8, stop: *mut u8) {
    if let Ok(mut regions) = REGIONS.lock() {
        regions.push((start as usize, (stop as usize).saturating_sub(start as usize)));
    }
}

/// Which counters have reached which order of magnitude.
#[derive(Debug, Default)]
pub struct Seen {
    classes: Vec<u8>,
}

impl Seen {
    /// Takes in what ran since [`reset`]; returns whether anything was new.
    pub fn note(&mut self) -> bool {
        let mut is_new = false;
        let mut at = 0;
        each(|counter| {
            if self.classes.len() <= at {
                self.classes.push(0);
            }
            let class = class(*counter);
            if class & !self.classes[at] != 0 {
                self.classes[at] |= class;
                is_new = true;
            }
            at += 1;
        });
        is_new
    }

    /// How many counters ever counted.
    pub fn places(&self) -> usize {
        self.classes.iter().filter(|classes| **classes != 0).count()
    }
}

/// Sets all counters to 0.
pub fn reset() {
    each(|counter| *counter = 0);
}

/// Whether this build tells anything.
pub fn is_known() -> bool {
    REGIONS.lock().is_ok_and(|regions| !regions.is_empty())
}

fn each(mut visit: impl FnMut(&mut u8)) {
    let Ok(regions) = REGIONS.lock() else { return };
    for (start, length) in regions.iter() {
        for at in 0..*length {
            let counter = (*start + at) as *mut u8;
            // SAFETY: the compiler laid out `length` counters there, for the life of the program. Instrumented code of
            // other threads writes to them without synchronisation, as the counters are made for; a byte lost or gained
            // changes nothing but a statistic, and volatile access keeps it from being assumed constant.
            unsafe {
                let mut value = counter.read_volatile();
                let before = value;
                visit(&mut value);
                if value != before {
                    counter.write_volatile(value);
                }
            }
        }
    }
}

/// The order of magnitude of a count, as one bit.
fn class(count: u8) -> u8 {
    match count {
        0 => 0,
        1 => 1,
        2 => 2,
        3 => 4,
        4..8 => 8,
        8..16 => 16,
        16..32 => 32,
        32..128 => 64,
        128.. => 128,
    }
}
