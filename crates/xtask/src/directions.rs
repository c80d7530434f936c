//! Which crate may import which.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};
use cargo_metadata::{CargoOpt, DependencyKind, Metadata, MetadataCommand};

use crate::run::root;

/// What a crate must never reach, over any number of steps, and why.
const NEVER: &[(&str, &[&str], &str)] = &[
    ("conclave-relay", &["conclave-e2ee", "openmls", "sframe"], "the relay must not link what could decrypt"),
    (
        "conclave-relay-core",
        &["conclave-e2ee", "openmls", "sframe", "conclave-identity", "tokio"],
        "the relay's core must not link what could decrypt, nor do I/O",
    ),
    ("conclave-session", &["conclave-codec", "conclave-capture", "tokio"], "the session does no I/O and no media"),
    ("conclave-e2ee", &["tokio", "conclave-transport"], "the group does no I/O"),
    ("conclave-codec", &["egui", "eframe"], "decoders know no window"),
    ("conclave-client", &["egui", "eframe"], "the engine knows no window"),
    ("conclave-model", &["tokio", "openmls", "str0m", "aws-lc-rs", "ring"], "the words do no I/O and no cryptography"),
];

/// What a crate must not name among its own dependencies.
const NEVER_DIRECTLY: &[(&str, &[&str], &str)] =
    &[("conclave-desktop", &["str0m", "openmls", "sframe"], "the window speaks to the engine only")];

/// Crates that nothing but tests and tasks may import.
const TOPS: &[&str] = &["conclave-desktop"];

/// Checks the directions of all dependencies but those of tests.
///
/// # Errors
/// Names every arrow that points where it must not, with the reason.
pub(crate) fn check() -> Result<()> {
    let metadata = MetadataCommand::new().current_dir(root()).features(CargoOpt::AllFeatures).exec()?;
    let graph = graph(&metadata);
    let mut wrong = Vec::new();
    for (from, forbidden, why) in NEVER {
        let reached = reachable(&graph, from);
        for to in forbidden.iter().filter(|to| reached.contains(**to)) {
            wrong.push(format!("{from} reaches {to}: {why}"));
        }
    }
    for (from, forbidden, why) in NEVER_DIRECTLY {
        for to in forbidden.iter().filter(|to| graph.get(*from).is_some_and(|found| found.contains(**to))) {
            wrong.push(format!("{from} imports {to}: {why}"));
        }
    }
    for (from, targets) in &graph {
        for top in TOPS.iter().filter(|top| targets.contains(**top) && !from.ends_with("-tests")) {
            wrong.push(format!("{from} imports {top}: nothing may"));
        }
    }
    for name in NEVER.iter().chain(NEVER_DIRECTLY).map(|(name, ..)| name) {
        if !graph.contains_key(*name) {
            wrong.push(format!("there is no crate {name}; a rule about it checks nothing"));
        }
    }
    if !wrong.is_empty() {
        bail!("dependency directions:\n  {}", wrong.join("\n  "));
    }
    println!("dependency directions: as they should be");
    Ok(())
}

/// Package names, and what each imports outside of its tests.
fn graph(metadata: &Metadata) -> BTreeMap<&str, BTreeSet<&str>> {
    let names: BTreeMap<_, _> = metadata.packages.iter().map(|package| (&package.id, package.name.as_str())).collect();
    let nodes = metadata.resolve.as_ref().map(|resolve| resolve.nodes.as_slice()).unwrap_or_default();
    let mut graph = BTreeMap::new();
    for node in nodes {
        let imports = node
            .deps
            .iter()
            .filter(|dep| dep.dep_kinds.iter().any(|info| info.kind == DependencyKind::Normal))
            .filter_map(|dep| names.get(&dep.pkg).copied());
        if let Some(name) = names.get(&node.id) {
            graph.entry(*name).or_insert_with(BTreeSet::new).extend(imports);
        }
    }
    graph
}

fn reachable<'a>(graph: &BTreeMap<&'a str, BTreeSet<&'a str>>, from: &str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&str> = graph.get(from).into_iter().flatten().copied().collect();
    while let Some(name) = open.pop() {
        if let Some((name, targets)) = graph.get_key_value(name)
            && reached.insert(*name)
        {
            open.extend(targets);
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reached_over_several_steps_is_found() {
        let graph = BTreeMap::from([
            ("a", BTreeSet::from(["b"])),
            ("b", BTreeSet::from(["c"])),
            ("c", BTreeSet::from(["a"])),
            ("d", BTreeSet::new()),
        ]);
        assert_eq!(reachable(&graph, "a"), BTreeSet::from(["a", "b", "c"]));
        assert!(reachable(&graph, "d").is_empty());
    }
}
