//! What the window says, in the person's language.
//!
//! Every sentence is a message in the Fluent files under `assets/i18n`, embedded in the program. Code names messages
//! by [`Words::say`] and [`Words::tell`]; a test finds each name that the code uses in the files.

use conclave_model::{Level, Role, SeatRank};
use fluent_bundle::{FluentArgs, FluentResource, FluentValue, concurrent::FluentBundle};
use unic_langid::langid;

/// The messages of one language.
pub struct Words {
    bundle: FluentBundle<FluentResource>,
}

/// The files of British English, which every other language is translated from.
const ENGLISH: [(&str, &str); 8] = [
    ("common.ftl", include_str!("../../../assets/i18n/en-GB/common.ftl")),
    ("home.ftl", include_str!("../../../assets/i18n/en-GB/home.ftl")),
    ("preview.ftl", include_str!("../../../assets/i18n/en-GB/preview.ftl")),
    ("meeting.ftl", include_str!("../../../assets/i18n/en-GB/meeting.ftl")),
    ("lead.ftl", include_str!("../../../assets/i18n/en-GB/lead.ftl")),
    ("sharing.ftl", include_str!("../../../assets/i18n/en-GB/sharing.ftl")),
    ("lock.ftl", include_str!("../../../assets/i18n/en-GB/lock.ftl")),
    ("errors.ftl", include_str!("../../../assets/i18n/en-GB/errors.ftl")),
];

impl Words {
    /// British English.
    pub fn english() -> Self {
        let mut bundle = FluentBundle::new_concurrent(vec![langid!("en-GB")]);
        // The isolation marks of bidirectional text are boxes in fonts that lack them, and all of ours go one way.
        bundle.set_use_isolating(false);
        for (file, source) in ENGLISH {
            match FluentResource::try_new(source.to_owned()) {
                Ok(resource) => {
                    if let Err(errors) = bundle.add_resource(resource) {
                        tracing::error!(file, count = errors.len(), "messages named twice");
                    }
                }
                Err((_, errors)) => tracing::error!(file, count = errors.len(), "messages that cannot be read"),
            }
        }
        Self { bundle }
    }

    /// The message `name`, which has no gaps to fill.
    pub fn say(&self, name: &str) -> String {
        self.format(name, None)
    }

    /// The message `name` with its gaps filled.
    pub fn tell<const N: usize>(&self, name: &str, gaps: [(&'static str, FluentValue<'_>); N]) -> String {
        let args: FluentArgs<'_> = gaps.into_iter().collect();
        self.format(name, Some(&args))
    }

    /// The marking of a level: the exact words of the rules, or the language's word for none.
    pub fn marking(&self, level: Level) -> String {
        level.marking().map_or_else(|| self.say("level-unclassified"), str::to_owned)
    }

    /// What a person may do in the meeting.
    pub fn role(&self, role: Role) -> String {
        self.say(match role {
            Role::Chair => "role-chair",
            Role::Delegate => "role-delegate",
            Role::Interpreter => "role-interpreter",
            Role::Observer => "role-observer",
            Role::Secretariat => "role-secretariat",
        })
    }

    /// The place within a delegation.
    pub fn rank(&self, rank: SeatRank) -> String {
        self.say(match rank {
            SeatRank::Head => "rank-head",
            SeatRank::Deputy => "rank-deputy",
            SeatRank::Expert => "rank-expert",
        })
    }

    fn format(&self, name: &str, args: Option<&FluentArgs<'_>>) -> String {
        let Some(pattern) = self.bundle.get_message(name).and_then(|message| message.value()) else {
            tracing::error!(name, "no such message");
            return name.to_owned();
        };
        let mut errors = Vec::new();
        let text = self.bundle.format_pattern(pattern, args, &mut errors).into_owned();
        if !errors.is_empty() {
            tracing::error!(name, count = errors.len(), "a message with gaps unfilled");
        }
        text
    }
}

impl std::fmt::Debug for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Words").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::{fs, path::Path};

    use super::*;

    /// Every Rust file under a folder, read.
    fn sources(folder: &Path, into: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, into);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                into.push(fs::read_to_string(path).unwrap());
            }
        }
    }

    #[test]
    fn every_message_that_the_code_says_is_in_the_files() {
        let words = Words::english();
        let mut files = Vec::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
        let mut said = 0;
        for file in &files {
            for call in ["say(\"", "tell(\""] {
                for rest in file.split(call).skip(1) {
                    let name = rest.split('"').next().unwrap();
                    if name.contains(' ') {
                        continue;
                    }
                    said += 1;
                    assert!(words.bundle.has_message(name), "no message \"{name}\"");
                }
            }
        }
        assert!(said > 20, "the search found only {said} calls");
    }

    #[test]
    fn every_message_in_the_files_is_used() {
        let mut files = Vec::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
        for (file, source) in ENGLISH {
            for line in source.lines() {
                let name = line.split(" =").next().unwrap();
                if line.contains(" =") && line.starts_with(|first: char| first.is_ascii_lowercase()) {
                    let literal = format!("\"{name}\"");
                    assert!(files.iter().any(|text| text.contains(&literal)), "{file}: \"{name}\" is never said");
                }
            }
        }
    }

    #[test]
    fn files_parse_and_no_message_is_named_twice() {
        let mut bundle = FluentBundle::new_concurrent(vec![langid!("en-GB")]);
        for (file, source) in ENGLISH {
            let resource = FluentResource::try_new(source.to_owned()).map_err(|(_, errors)| errors);
            assert!(
                bundle.add_resource(resource.unwrap_or_else(|errors| panic!("{file}: {errors:?}"))).is_ok(),
                "{file}"
            );
        }
    }

    #[test]
    fn markings_are_never_translated() {
        let words = Words::english();
        assert_eq!(words.marking(Level::TopSecret), "TRÈS SECRET UE/EU TOP SECRET");
        assert_eq!(words.marking(Level::Unclassified), "UNCLASSIFIED");
    }

    #[test]
    fn gaps_are_filled() {
        let words = Words::english();
        assert_eq!(words.tell("roster-title", [("count", 3.into())]), "Participants (3)");
    }
}
