//! Rows on standard output and in JSON.

use serde_json::{Map, Value, json};

/// Rows of one part; every cell has the key that it has in JSON.
#[derive(Debug, Default)]
pub(crate) struct Table {
    title: String,
    rows: Vec<Vec<(&'static str, Cell)>>,
}

/// One value.
#[derive(Clone, Debug)]
pub(crate) enum Cell {
    Word(String),
    /// With so many digits after the point; "–" and null where it is not finite.
    Number(f64, usize),
    Share(f64),
    Shares(Vec<f64>),
    Met(Option<bool>),
}

impl Table {
    pub(crate) fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), rows: Vec::new() }
    }

    pub(crate) fn add(&mut self, row: Vec<(&'static str, Cell)>) {
        self.rows.push(row);
    }

    /// Prints the rows and returns them for the file.
    pub(crate) fn finish(self) -> Value {
        println!("\n== {}", self.title);
        let Some(first) = self.rows.first() else { return json!([]) };
        let heads: Vec<&str> = first.iter().map(|(key, _)| *key).collect();
        let texts: Vec<Vec<String>> =
            self.rows.iter().map(|row| row.iter().map(|(_, cell)| cell.text()).collect()).collect();
        let width = |at: usize| {
            let cells = texts.iter().filter_map(|row| row.get(at)).map(|text| text.chars().count());
            cells.chain([heads[at].len()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..heads.len()).map(width).collect();
        let line = |cells: &mut dyn Iterator<Item = &str>| {
            let padded = cells.zip(&widths).map(|(cell, width)| format!("{cell:>width$}"));
            println!("{}", padded.collect::<Vec<_>>().join("  "));
        };
        line(&mut heads.iter().copied());
        for row in &texts {
            line(&mut row.iter().map(String::as_str));
        }
        let rows = self.rows.into_iter().map(|row| {
            Value::Object(row.into_iter().map(|(key, cell)| (key.to_owned(), cell.json())).collect::<Map<_, _>>())
        });
        Value::Array(rows.collect())
    }
}

impl Cell {
    fn text(&self) -> String {
        match self {
            Self::Word(word) => word.clone(),
            Self::Number(value, digits) if value.is_finite() => format!("{value:.digits$}"),
            Self::Share(value) if value.is_finite() => format!("{:.1} %", value * 100.0),
            Self::Number(..) | Self::Share(_) | Self::Met(None) => "–".to_owned(),
            Self::Shares(values) => {
                values.iter().map(|value| format!("{:.0}", value * 100.0)).collect::<Vec<_>>().join("/")
            }
            Self::Met(Some(true)) => "yes".to_owned(),
            Self::Met(Some(false)) => "NO".to_owned(),
        }
    }

    fn json(self) -> Value {
        let round = |value: f64| value.is_finite().then_some((value * 1e4).round() / 1e4);
        match self {
            Self::Word(word) => json!(word),
            Self::Number(value, _) | Self::Share(value) => json!(round(value)),
            Self::Shares(values) => json!(values.into_iter().map(round).collect::<Vec<_>>()),
            Self::Met(met) => json!(met),
        }
    }
}

/// A word.
pub(crate) fn word(text: impl Into<String>) -> Cell {
    Cell::Word(text.into())
}

/// A number with one digit after the point.
pub(crate) fn number(value: f64) -> Cell {
    Cell::Number(value, 1)
}
