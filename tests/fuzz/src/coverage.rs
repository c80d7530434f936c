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
    /// Takes in what ran since the last call, and sets the counters to 0; returns whether anything was new.
    pub fn note(&mut self) -> bool {
        let mut is_new = false;
        take(|at, count| {
            if self.classes.len() <= at {
                self.classes.resize(at + 1, 0);
            }
            let class = class(count);
            if class & !self.classes[at] != 0 {
                self.classes[at] |= class;
                is_new = true;
            }
        });
        is_new
    }

    /// How many counters ever counted.
    pub fn places(&self) -> usize {
        self.classes.iter().filter(|classes| **classes != 0).count()
    }
}

/// Whether this build tells anything.
pub fn is_known() -> bool {
    REGIONS.lock().is_ok_and(|regions| !regions.is_empty())
}

/// Counters that are looked at together: most are 0.
const WORD: usize = size_of::<u64>();

/// Calls `see` with the place and the count of each counter that is not 0, and sets it to 0.
fn take(mut see: impl FnMut(usize, u8)) {
    let Ok(regions) = REGIONS.lock() else { return };
    let mut base = 0;
    for (start, length) in regions.iter() {
        let mut at = 0;
        while at < *length {
            let address = *start + at;
            let is_word = address.is_multiple_of(WORD) && at + WORD <= *length;
            // SAFETY: the compiler laid out `length` counters there, for the life of the program, and a word is read only
            // where it is aligned and within them. Instrumented code of other threads writes to them without
            // synchronisation, as the counters are made for; a count lost or gained changes nothing but a statistic, and
            // volatile access keeps it from being assumed constant.
            let (count, counts) = unsafe {
                if is_word {
                    let word = address as *mut u64;
                    let value = word.read_volatile();
                    if value != 0 {
                        word.write_volatile(0);
                    }
                    (WORD, value.to_ne_bytes())
                } else {
                    let counter = address as *mut u8;
                    let value = counter.read_volatile();
                    counter.write_volatile(0);
                    (1, [value, 0, 0, 0, 0, 0, 0, 0])
                }
            };
            if counts != [0; WORD] {
                counts
                    .iter()
                    .enumerate()
                    .filter(|(_, count)| **count != 0)
                    .for_each(|(nth, count)| see(base + at + nth, *count));
            }
            at += count;
        }
        base += length;
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
