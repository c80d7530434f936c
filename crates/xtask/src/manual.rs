//! The manual pages: of each program, made from what it says about itself and from what `packaging/man` adds, and of
//! the relay's configuration, made from the example that documents every key.

use std::{fmt::Write as _, fs, path::Path, process::Command};

use anyhow::{Context, Result, bail, ensure};

use crate::run::{command, root};

/// Program and what it is, for the first line of its page.
const PROGRAMS: &[(&str, &str)] = &[
    ("conclave", "confidential meetings"),
    ("conclave-relay", "relay of confidential meetings"),
    ("conclave-registry", "certification authority, credentials and invitations"),
];

/// Writes all pages into `folder`, compressed, from the programs under `programs`.
///
/// # Errors
/// A program that cannot be started or whose help is not understood; a file that cannot be read or written.
pub(crate) fn write(programs: &Path, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let packaging = root().join("packaging");
    let read = |path: &Path| fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()));
    let save = |name: String, text: String| {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    for (program, what) in PROGRAMS {
        let more = read(&packaging.join("man").join(format!("{program}.roff")))?;
        let ask = |words: &[String]| {
            let output = Command::new(programs.join(program)).args(words).arg("--help").output()?;
            ensure!(output.status.success(), "{program} {} --help failed", words.join(" "));
            Ok(String::from_utf8(output.stdout)?)
        };
        save(format!("{program}.1"), page(program, what, &ask, &more)?)?;
    }
    let example = read(&packaging.join("relay/relay.toml"))?;
    save("relay.toml.5".to_owned(), configuration(&example)?)?;
    // As Debian wants them: without the time and the name of what was compressed, so that each build gives the same.
    let pages = fs::read_dir(folder)?.map(|page| page.map(|page| page.path())).collect::<Result<Vec<_>, _>>()?;
    let pages = pages.iter().filter(|page| page.extension().is_some_and(|section| section != "gz"));
    command("gzip", ["-9nf".as_ref()].into_iter().chain(pages.map(|page| page.as_os_str())))
}

/// What a program says with `--help`, taken apart.
#[derive(Debug, Default, PartialEq)]
struct Help {
    about: Vec<String>,
    usage: Vec<String>,
    commands: Vec<(String, String)>,
    arguments: Vec<(String, String)>,
    options: Vec<(String, String)>,
}

impl Help {
    fn parse(text: &str) -> Result<Self> {
        let mut help = Self::default();
        let mut section = "about";
        for line in text.lines() {
            match line {
                "Commands:" | "Arguments:" | "Options:" => section = line,
                "" => {}
                line if line.starts_with("Usage:") => {
                    section = "Usage:";
                    help.usage.push(line["Usage:".len()..].trim().to_owned());
                }
                line => match section {
                    "about" => help.about.push(line.trim().to_owned()),
                    "Usage:" => help.usage.push(line.trim().to_owned()),
                    "Commands:" => add(&mut help.commands, line)?,
                    "Arguments:" => add(&mut help.arguments, line)?,
                    _ => add(&mut help.options, line)?,
                },
            }
        }
        ensure!(!help.about.is_empty() && !help.usage.is_empty(), "a help without words or usage:\n{text}");
        Ok(help)
    }
}

/// A line of a list: `  NAME  words`, or `  NAME` with the words in the next lines, further in.
fn add(list: &mut Vec<(String, String)>, line: &str) -> Result<()> {
    let depth = line.len() - line.trim_start().len();
    // Options without a short form stand at the fifth place after "  -x, ".
    if depth <= 6 {
        let (name, words) = line.trim().split_once("  ").unwrap_or((line.trim(), ""));
        list.push((name.to_owned(), words.trim().to_owned()));
        return Ok(());
    }
    let Some((_, words)) = list.last_mut() else { bail!("words that belong to nothing: {line}") };
    if !words.is_empty() {
        words.push(' ');
    }
    words.push_str(line.trim());
    Ok(())
}

/// A page in section 1. `ask` gives the help of a chain of subcommands.
fn page(program: &str, what: &str, ask: &dyn Fn(&[String]) -> Result<String>, more: &str) -> Result<String> {
    let help = Help::parse(&ask(&[])?)?;
    let mut text = head(program, 1, what);
    text += ".SH SYNOPSIS\n";
    for usage in &help.usage {
        writeln!(text, ".B {}\n.br", bold(usage))?;
    }
    text += ".SH DESCRIPTION\n";
    paragraphs(&mut text, &help.about);
    lists(&mut text, &help, ".SH");
    if help.commands.len() > 1 {
        text += ".SH COMMANDS\n";
        commands(&mut text, ask, &help, &[])?;
    }
    text += more;
    Ok(text)
}

/// All subcommands, those within others as well.
fn commands(text: &mut String, ask: &dyn Fn(&[String]) -> Result<String>, of: &Help, chain: &[String]) -> Result<()> {
    for (name, _) in of.commands.iter().filter(|(name, _)| name != "help") {
        let chain = [chain, std::slice::from_ref(name)].concat();
        let help = Help::parse(&ask(&chain)?)?;
        if help.commands.is_empty() {
            writeln!(text, ".SS {}", bold(&chain.join(" ")))?;
            for usage in &help.usage {
                writeln!(text, ".B {}\n.PP", bold(usage))?;
            }
            paragraphs(text, &help.about);
            lists(text, &help, ".PP\n.B");
        }
        commands(text, ask, &help, &chain)?;
    }
    Ok(())
}

fn lists(text: &mut String, help: &Help, heading: &str) {
    for (title, list) in [("ARGUMENTS", &help.arguments), ("OPTIONS", &help.options)] {
        // Help about help is in no need of a manual.
        let mut list = list.iter().filter(|(name, _)| !name.contains("--help")).peekable();
        if list.peek().is_some() {
            *text += &format!("{heading} {title}\n");
        }
        for (name, words) in list {
            *text += &format!(".TP\n.B {}\n{}\n", bold(name), plain(words));
        }
    }
}

fn paragraphs(text: &mut String, lines: &[String]) {
    *text += &lines.iter().map(|line| plain(line) + "\n").collect::<Vec<_>>().join(".PP\n");
}

/// The page of `relay.toml`: what stands in front of a key says what it is.
///
/// A key without a value of its own is `#key = default`, without a space; other comments have one.
fn configuration(example: &str) -> Result<String> {
    let mut text = head("relay.toml", 5, "configuration of a Conclave relay");
    text += ".SH DESCRIPTION\n";
    let mut keys = 0;
    for block in example.split("\n\n") {
        let (said, keyed): (Vec<_>, Vec<_>) = block.lines().partition(|line| line.starts_with("# ") || *line == "#");
        let words = said.iter().map(|line| plain(line.trim_start_matches('#').trim())).collect::<Vec<_>>().join("\n");
        if keyed.is_empty() {
            text += &format!("{words}\n");
            continue;
        }
        if keys == 0 {
            text += ".SH KEYS\n";
        }
        keys += keyed.len();
        let (last, first) = keyed.split_last().context("a block without a key")?;
        for key in first {
            text += &format!(".TP\n.B {}\n.PD 0\n", shown(key)?);
        }
        text += &format!(".TP\n.B {}\n.PD\n{words}\n", shown(last)?);
    }
    ensure!(keys > 5, "the example of a configuration has only {keys} keys");
    text += ".SH SEE ALSO\n.BR conclave-relay (1)\n";
    Ok(text)
}

/// A key and its example, or what counts where it is not given.
fn shown(line: &str) -> Result<String> {
    let (key, value) = line.split_once(" = ").with_context(|| format!("no key and value: {line}"))?;
    let given = key.strip_prefix('#').map_or(format!("{key} = {value}"), |key| format!("{key} = {value} (optional)"));
    Ok(bold(&given))
}

fn head(name: &str, section: u8, what: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let title = plain(&name.to_uppercase());
    format!(".TH {title} {section} \"\" \"Conclave {version}\" \"Conclave\"\n.SH NAME\n{} \\- {what}\n", plain(name))
}

/// Words behind a macro, where quotes would hold arguments together.
fn bold(words: &str) -> String {
    plain(words).replace('"', "\\(dq")
}

/// Words as roff shows them: hyphens that can be searched for, nothing taken for a command.
fn plain(words: &str) -> String {
    let words = words.replace('\\', "\\e").replace('-', "\\-").replace('`', "");
    if words.starts_with(['.', '\'']) { format!("\\&{words}") } else { words }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: &str = "Does things\n\nUsage: tool [OPTIONS] <COMMAND>\n\nCommands:\n  go    Goes somewhere\n  \
                         help  Print this message\n\nOptions:\n      --fast <N>  How fast\n  -h, --help      Print help\n";
    const LONG: &str = "Goes somewhere.\n\nFar away.\n\nUsage: tool go <WHERE>\n       tool go --back\n\nArguments:\n  \
                        <WHERE>\n          A place\n          [possible values: a, b]\n\nOptions:\n      --back\n          \
                        And back, in one-way streets\n";

    fn both(words: &[String]) -> Result<String> {
        Ok(if words.is_empty() { SHORT } else { LONG }.to_owned())
    }

    #[test]
    fn both_layouts_of_help_are_understood() {
        let help = Help::parse(LONG).expect("a help");
        assert_eq!(help.about, ["Goes somewhere.", "Far away."]);
        assert_eq!(help.usage, ["tool go <WHERE>", "tool go --back"]);
        assert_eq!(help.arguments, [("<WHERE>".to_owned(), "A place [possible values: a, b]".to_owned())]);
        let help = Help::parse(SHORT).expect("a help");
        assert_eq!(help.options[0], ("--fast <N>".to_owned(), "How fast".to_owned()));
        assert!(Help::parse("nothing of the kind").is_err());
    }

    #[test]
    fn a_page_has_every_command_and_option_once() {
        let page = page("tool", "does things", &both, ".SH SEE ALSO\nnobody\n").expect("a page");
        for wanted in ["tool \\- does things", ".SS go", "\\-\\-fast <N>\nHow fast", "one\\-way", "SEE ALSO"] {
            assert_eq!(page.matches(wanted).count(), 1, "{wanted}: {page}");
        }
        assert!(!page.contains("Print help"), "{page}");
    }

    #[test]
    fn every_key_of_the_example_is_in_its_page() {
        let example = fs::read_to_string(root().join("packaging/relay/relay.toml")).expect("the example");
        let page = configuration(&example).expect("a page");
        for line in example.lines().filter(|line| line.contains(" = ") && !line.starts_with("# ")) {
            let key = line.trim_start_matches('#').split(' ').next().expect("a key");
            assert_eq!(page.matches(&format!(".B {key} = ")).count(), 1, "{key}: {page}");
        }
    }
}
