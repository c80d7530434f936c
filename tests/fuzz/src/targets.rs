//! The targets: one for each parser.

mod codecs;
mod files;
mod group;
mod media;
mod papers;
mod signals;
mod tls;

/// What is fuzzed.
pub struct Target {
    /// The name, also of its folder in the corpus.
    pub name: &'static str,
    /// Makes what one run needs.
    pub make: fn() -> Case,
    /// The longest input, in bytes.
    pub longest: usize,
    /// How many mutated inputs continuous integration tries.
    pub inputs: u64,
    /// Whether a failure can end the process, as a panic in a function of C's calling convention does.
    pub may_abort: bool,
}

/// Takes one input.
pub type Run = Box<dyn FnMut(&[u8])>;

/// One run of a target.
pub struct Case {
    /// Inputs that are valid, or lead far.
    pub valid: Vec<Vec<u8>>,
    /// Takes an input; panics where it should not be taken so.
    pub run: Run,
}

impl Case {
    fn new(valid: Vec<Vec<u8>>, run: impl FnMut(&[u8]) + 'static) -> Self {
        Self { valid, run: Box::new(run) }
    }
}

const fn quick(name: &'static str, make: fn() -> Case, longest: usize) -> Target {
    Target { name, make, longest, inputs: 20_000, may_abort: false }
}

const fn slow(name: &'static str, make: fn() -> Case, longest: usize, inputs: u64) -> Target {
    Target { name, make, longest, inputs, may_abort: false }
}

static TARGETS: [Target; 27] = [
    quick("to_relay", signals::to_relay, 16 << 10),
    quick("from_relay", signals::from_relay, 16 << 10),
    slow("session_signals", signals::session_signals, 16 << 10, 1500),
    slow("member_content", signals::member_content, 4 << 10, 1000),
    slow("handshake", tls::handshake, 64, 600),
    slow("key_package", group::key_package, 8 << 10, 1000),
    slow("welcome", group::welcome, 64, 60),
    slow("commit", group::commit, 64, 1000),
    slow("message", group::message, 64, 1000),
    slow("pulse", group::pulse, 64, 3000),
    quick("memory", group::memory, 4 << 10),
    quick("sframe", group::sframe, 64),
    quick("descriptor", media::descriptor, 1200),
    slow("packets", media::packets, 4 << 10, 600),
    quick("redundant_sound", codecs::redundant_sound, 4 << 10),
    Target { may_abort: true, ..slow("opus", codecs::opus, 1500, 600) },
    Target { may_abort: true, ..slow("av1", codecs::av1, 16 << 10, 1000) },
    slow("invitation", papers::invitation, 32 << 10, 3000),
    slow("certificate", papers::certificate, 8 << 10, 5000),
    quick("attributes", papers::attributes, 1 << 10),
    slow("credential", papers::credential, 16 << 10, 1500),
    slow("revocations", papers::revocations, 8 << 10, 3000),
    slow("audit_log", papers::audit_log, 8 << 10, 5000),
    slow("y4m", files::y4m, 16 << 10, 300),
    slow("wav", files::wav, 16 << 10, 300),
    slow("jpeg", files::jpeg, 16 << 10, 3000),
    slow("relay_config", files::relay_config, 8 << 10, 3000),
];

/// All targets.
pub fn targets() -> &'static [Target] {
    &TARGETS
}

/// The target of this name.
pub fn target(name: &str) -> Option<&'static Target> {
    targets().iter().find(|target| target.name == name)
}
