//! Every target withstands all that is known, and a moment of mutations with a fixed seed.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use conclave_fuzz_tests::{Plan, replay, run, target, targets};

/// The same for everybody; another one by `CONCLAVE_FUZZ_SEED`.
const SEED: u64 = 20;

fn withstands(name: &str) {
    let target = target(name).unwrap();
    let known = replay(target).unwrap_or_else(|failure| panic!("{failure}"));
    assert!(known > 20, "{name} has {known} inputs");
    let seed = std::env::var("CONCLAVE_FUZZ_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(SEED);
    let plan = Plan { seed, inputs: target.inputs, time: Duration::from_secs(5) };
    run(target, &plan).unwrap_or_else(|failure| panic!("{failure}"));
}

macro_rules! withstand {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                withstands(stringify!($name));
            }
        )*

        #[test]
        fn every_target_is_tested() {
            let tested = [$(stringify!($name)),*];
            assert_eq!(targets().iter().map(|target| target.name).collect::<Vec<_>>(), tested);
        }
    };
}

withstand! {
    to_relay from_relay session_signals member_content handshake
    key_package welcome commit message pulse memory
    sframe descriptor packets
    redundant_sound opus av1
    invitation certificate attributes credential revocations audit_log
    y4m wav jpeg relay_config
}
