//! A TOML table whose every key and value knows its line.

use std::{
    io,
    ops::{Range, RangeInclusive},
    path::{Path, PathBuf},
    str::FromStr,
};

use conclave_identity::credential;
use toml::de::{DeTable, DeValue};

use super::ConfigError;

/// A file from which keys are taken one by one; what is left at the end is unknown.
pub(super) struct File<'a> {
    path: PathBuf,
    text: &'a str,
    table: DeTable<'a>,
    known: Vec<&'static str>,
}

/// A text and where it stands.
pub(super) struct Entry {
    file: PathBuf,
    key: &'static str,
    pub(super) line: usize,
    pub(super) value: String,
}

impl<'a> File<'a> {
    pub(super) fn parse(path: &Path, text: &'a str) -> Result<Self, ConfigError> {
        let table = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
            file: path.to_owned(),
            line: error.span().map_or(1, |span| line_of(text, &span)),
            message: error.message().to_owned(),
        })?;
        Ok(Self { path: path.to_owned(), text, table: table.into_inner(), known: Vec::new() })
    }

    /// Takes a value out, with its line.
    fn take(&mut self, key: &'static str) -> Option<(usize, DeValue<'a>)> {
        self.known.push(key);
        let value = self.table.remove(key)?;
        Some((line_of(self.text, &value.span()), value.into_inner()))
    }

    fn wrong(&self, key: &'static str, line: usize, found: &DeValue<'_>, allowed: &'static str) -> ConfigError {
        ConfigError::Value { file: self.path.clone(), line, key, found: describe(found), allowed }
    }

    pub(super) fn text(&mut self, key: &'static str) -> Result<Option<Entry>, ConfigError> {
        let Some((line, value)) = self.take(key) else { return Ok(None) };
        match value.as_str() {
            Some(text) => Ok(Some(self.entry(key, line, text))),
            None => Err(self.wrong(key, line, &value, "a text in quotes")),
        }
    }

    pub(super) fn need(&mut self, key: &'static str, allowed: &'static str) -> Result<Entry, ConfigError> {
        self.text(key)?.ok_or(ConfigError::Missing { file: self.path.clone(), key, allowed })
    }

    pub(super) fn texts(&mut self, key: &'static str) -> Result<Vec<Entry>, ConfigError> {
        let allowed = "a list of texts in quotes";
        let Some((line, value)) = self.take(key) else { return Ok(Vec::new()) };
        let items = value.as_array().ok_or_else(|| self.wrong(key, line, &value, allowed))?;
        let entry = |item: &toml::Spanned<DeValue<'_>>| {
            let line = line_of(self.text, &item.span());
            let text = item.get_ref().as_str().ok_or_else(|| self.wrong(key, line, item.get_ref(), allowed))?;
            Ok(self.entry(key, line, text))
        };
        items.iter().map(entry).collect()
    }

    pub(super) fn number(
        &mut self,
        key: &'static str,
        range: RangeInclusive<usize>,
        allowed: &'static str,
    ) -> Result<Option<usize>, ConfigError> {
        let Some((line, value)) = self.take(key) else { return Ok(None) };
        let integer = value.as_integer();
        let number = integer.and_then(|integer| usize::from_str_radix(integer.as_str(), integer.radix()).ok());
        match number.filter(|number| range.contains(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(self.wrong(key, line, &value, allowed)),
        }
    }

    /// Says whether anything is left that no key stands for.
    pub(super) fn finish(self) -> Result<(), ConfigError> {
        let lines = self.table.keys().map(|key| (line_of(self.text, &key.span()), key.get_ref().to_string()));
        match lines.min() {
            None => Ok(()),
            Some((line, key)) => {
                Err(ConfigError::Unknown { file: self.path, line, key, allowed: self.known.join(", ") })
            }
        }
    }

    fn entry(&self, key: &'static str, line: usize, text: &str) -> Entry {
        Entry { file: self.path.clone(), key, line, value: text.to_owned() }
    }
}

impl Entry {
    /// Reads the text as something else.
    pub(super) fn parse<T: FromStr>(&self, allowed: &'static str) -> Result<T, ConfigError> {
        self.value.parse().map_err(|_| self.refuse(allowed))
    }

    /// The key does not take this text.
    pub(super) fn refuse(&self, allowed: &'static str) -> ConfigError {
        ConfigError::Value {
            file: self.file.clone(),
            line: self.line,
            key: self.key,
            found: format!("\"{}\"", self.value),
            allowed,
        }
    }
}

/// Why a file cannot be used, in words for people; what there are no words for, as the system says it.
pub(super) fn said(error: &io::Error) -> String {
    let words = credential::words(error.kind());
    if words == error.kind().to_string() { error.to_string() } else { words }
}

fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("\"{text}\""),
        DeValue::Integer(number) => number.as_str().to_owned(),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

fn line_of(text: &str, span: &Range<usize>) -> usize {
    text.bytes().take(span.start).filter(|byte| *byte == b'\n').count() + 1
}
