//! The licence texts of what our programs contain, for those who get them: almost all licences ask for that.
//!
//! Texts come from the sources of the crates, C libraries inside them included, as cargo has them. One that several
//! crates share stands once.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::Path,
    process::Command,
};

use anyhow::{Context, Result, ensure};
use cargo_metadata::{CargoOpt, DependencyKind, Metadata, MetadataCommand, Package, PackageId, TargetKind};

use crate::run::{command, root};

/// File and the crates whose programs it is for.
const FILES: &[(&str, &[&str])] =
    &[("conclave", &["conclave-desktop"]), ("conclave-relay", &["conclave-relay", "conclave-registry"])];

/// What files with licences are called, in capitals.
const NAMES: &[&str] =
    &["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE", "PATENTS", "OFL", "AUTHORS"];

/// How deep C libraries lie within crates.
const DEPTH: usize = 4;

/// The longest file that is taken for a licence, in bytes.
const LONGEST: u64 = 256 << 10;

/// Writes `NAME.NOTICES.gz` into `folder` for each package.
///
/// # Errors
/// Where cargo or a source cannot be read, or a crate says nothing of its licence.
pub(crate) fn write(folder: &Path) -> Result<()> {
    let metadata = metadata()?;
    for (name, programs) in FILES {
        let path = folder.join(format!("{name}.NOTICES"));
        fs::write(&path, notices(&metadata, programs)?).with_context(|| format!("cannot write {}", path.display()))?;
        // Without time and name, so that each build gives the same.
        command("gzip", ["-9nf".as_ref(), path.as_os_str()])?;
    }
    Ok(())
}

/// What is linked for this machine.
fn metadata() -> Result<Metadata> {
    let rustc = Command::new("rustc").arg("-vV").output().context("cannot ask rustc for its host")?;
    let said = String::from_utf8(rustc.stdout)?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    let mut asked = MetadataCommand::new();
    let options = ["--filter-platform".to_owned(), host.to_owned(), "--locked".to_owned()];
    Ok(asked.current_dir(root()).features(CargoOpt::AllFeatures).other_options(options).exec()?)
}

fn notices(metadata: &Metadata, programs: &[&str]) -> Result<String> {
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut list = String::new();
    for package in linked(metadata, programs)? {
        let license = package.license.as_deref().or(package.license_file.as_ref().map(|_| "see below"));
        let license = license.with_context(|| format!("{} says nothing of its licence", package.name))?;
        let from = package.repository.as_deref().or(package.homepage.as_deref()).unwrap_or("crates.io");
        let name = format!("{} {}", package.name, package.version);
        writeln!(list, "{name}: {license}; {from}")?;
        let source = package.manifest_path.parent().context("a manifest without a folder")?;
        let mut found = BTreeSet::new();
        collect(source.as_std_path(), 0, &mut found)?;
        for text in found {
            texts.entry(text).or_default().push(name.clone());
        }
    }
    let mut all = format!(
        "Software of others that {} contain{}, and under which licences. Their texts follow.\n\n{list}",
        programs.join(" and "),
        if programs.len() > 1 { "" } else { "s" }
    );
    // The texts that most share come first.
    let mut texts: Vec<_> = texts.into_iter().collect();
    texts.sort_by(|one, other| other.1.len().cmp(&one.1.len()).then_with(|| one.1.cmp(&other.1)));
    for (text, names) in texts {
        write!(all, "\n{}\n{}:\n\n{}\n", "-".repeat(78), names.join(", "), text.trim_end())?;
    }
    Ok(all)
}

/// The crates of others that end up in programs, by name: not those that only build or derive.
fn linked<'a>(metadata: &'a Metadata, programs: &[&str]) -> Result<Vec<&'a Package>> {
    let resolve = metadata.resolve.as_ref().context("cargo resolved nothing")?;
    let nodes: BTreeMap<&PackageId, _> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let mut open: Vec<&PackageId> = Vec::new();
    for program in programs {
        let own = metadata.workspace_packages().into_iter().find(|package| package.name.as_str() == *program);
        open.push(&own.with_context(|| format!("there is no crate {program}"))?.id);
    }
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    while let Some(id) = open.pop() {
        let package = &metadata[id];
        let is_macro = package.targets.iter().any(|target| target.kind.contains(&TargetKind::ProcMacro));
        if is_macro || !seen.insert(id) {
            continue;
        }
        if package.source.is_some() {
            found.push(package);
        }
        let node = nodes.get(id).with_context(|| format!("{id} is not resolved"))?;
        let is_normal =
            |kinds: &[cargo_metadata::DepKindInfo]| kinds.iter().any(|kind| kind.kind == DependencyKind::Normal);
        open.extend(node.deps.iter().filter(|to| is_normal(&to.dep_kinds)).map(|to| &to.pkg));
    }
    ensure!(found.len() > 20, "only {} crates are linked into {}", found.len(), programs.join(" and "));
    found.sort_by(|one, other| (one.name.as_str(), &one.version).cmp(&(other.name.as_str(), &other.version)));
    Ok(found)
}

/// The texts of licences in a folder and those below it.
fn collect(folder: &Path, depth: usize, into: &mut BTreeSet<String>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() && depth < DEPTH {
            collect(&entry.path(), depth + 1, into)?;
        }
        let name = entry.file_name().to_string_lossy().to_uppercase();
        let is_source = [".RS", ".C", ".H", ".PY", ".SH"].iter().any(|end| name.ends_with(end));
        if kind.is_file() && !is_source && NAMES.iter().any(|start| name.starts_with(start)) {
            if entry.metadata()?.len() > LONGEST {
                continue;
            }
            let bytes = fs::read(entry.path())?;
            let text = String::from_utf8_lossy(&bytes).replace("\r\n", "\n");
            if !text.trim().is_empty() {
                into.insert(text.trim_end().to_owned());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_texts_of_all_that_is_linked_are_there_and_of_nothing_else() {
        let metadata = metadata().expect("cargo knows the workspace");
        let relay = notices(&metadata, &["conclave-relay", "conclave-registry"]).expect("notices");
        let app = notices(&metadata, &["conclave-desktop"]).expect("notices");
        for (text, name) in [(&relay, "\nrustls "), (&relay, "\nstr0m "), (&app, "\nopenmls "), (&app, "\neframe ")] {
            assert!(text.contains(name), "{name}");
        }
        assert!(!relay.contains("\nopenmls ") && !relay.contains("\neframe "), "the relay contains neither");
        assert!(!app.contains("\nclap_derive ") && !app.contains("\nconclave-"), "neither tools nor our own");
        // The C libraries inside crates, by their holders.
        for holder in ["Alliance for Open Media", "Xiph.Org", "The OpenSSL Project"] {
            assert!(app.contains(holder), "{holder}");
        }
    }
}
