//! A campaign's text with other numbers in it: everything else stays as it was written, comments included.

use bench_app::{Bytes, Kernel};
use toml_edit::{Array, DocumentMut, Item, Value};

use super::Advice;

/// The text is no campaign, or not the one the advice is for.
#[derive(Debug, thiserror::Error)]
pub enum NotRewritten {
    /// It cannot be read.
    #[error("{0}")]
    Syntax(#[from] toml_edit::TomlError),
    /// A key is not where campaigns have it.
    #[error("the campaign has no `{0}`; hint: is it the one that the run was made with?")]
    Lacks(&'static str),
    /// A size was not measured.
    #[error("{kernel} {size} was not measured in this run; hint: is it made with this campaign?")]
    NotMeasured {
        /// The kernel.
        kernel: Kernel,
        /// As written.
        size: String,
    },
}

/// `text` with K, visits and blocks as advised, and `note` as comments in front.
///
/// # Errors
/// What the text lacks.
pub fn rewrite(text: &str, advice: &Advice, note: &[String]) -> Result<String, NotRewritten> {
    let mut document: DocumentMut = text.parse()?;
    set(document.get_mut("blocks"), advice.blocks, "blocks")?;
    let workload = document.get_mut("workload").and_then(Item::as_table_mut).ok_or(NotRewritten::Lacks("workload"))?;
    set(workload.get_mut("rounds"), advice.rounds.get(), "rounds")?;
    for (key, item) in workload.iter_mut() {
        if let (Ok(kernel), Some(sizes)) = (key.get().parse(), item.as_array_mut()) {
            fix(sizes, kernel, advice)?;
        }
    }
    let note: String = note.iter().map(|line| format!("# {line}\n")).collect();
    Ok(note + &document.to_string())
}

/// Another number in the place of one, with the comment behind it kept.
fn set(item: Option<&mut Item>, number: u32, name: &'static str) -> Result<(), NotRewritten> {
    let value = item.and_then(Item::as_value_mut).ok_or(NotRewritten::Lacks(name))?;
    replace(value, i64::from(number).into());
    Ok(())
}

fn fix(sizes: &mut Array, kernel: Kernel, advice: &Advice) -> Result<(), NotRewritten> {
    for value in sizes.iter_mut() {
        let written = value.as_str().unwrap_or_default().to_owned();
        let size = written.split(':').next().unwrap_or_default();
        let bytes: Option<Bytes> = size.parse().ok();
        let cell = advice.cells.iter().find(|cell| cell.kernel == kernel && Some(cell.bytes) == bytes);
        let cell = cell.ok_or_else(|| NotRewritten::NotMeasured { kernel, size: written.clone() })?;
        replace(value, format!("{size}:{}", cell.k).into());
    }
    Ok(())
}

fn replace(value: &mut Value, by: Value) {
    let decor = value.decor().clone();
    *value = by;
    *value.decor_mut() = decor;
}
