//! A profile as TOML, with where each value comes from beside it.

use toml_edit::{DocumentMut, Item, Table, Value};

use super::{Profile, Resolved};

/// The text of a profile after `extends`: it loads again, and each value says which profile wrote it.
#[must_use]
pub fn annotated(resolved: &Resolved) -> String {
    let text = Profile::text(&resolved.table);
    let mut document: DocumentMut = text.parse().unwrap_or_else(|e| unreachable!("it was written as TOML: {e}"));
    let of = |path: &str| resolved.from.get(path).map(String::as_str);
    annotate(document.as_table_mut(), "", &of);
    document.to_string()
}

fn annotate<'a>(table: &mut Table, at: &str, of: &dyn Fn(&str) -> Option<&'a str>) {
    for (key, item) in table.iter_mut() {
        let path = if at.is_empty() { key.get().to_owned() } else { format!("{at}.{}", key.get()) };
        match item {
            Item::Table(inner) => annotate(inner, &path, of),
            Item::Value(value) => {
                // An inline table is written by all who wrote a part of it.
                let whole = of(&path).map(str::to_owned).or_else(|| parts(value, &path, of));
                if let Some(by) = whole {
                    value.decor_mut().set_suffix(format!("  # {by}"));
                }
            }
            Item::ArrayOfTables(tables) => {
                if let (Some(first), Some(by)) = (tables.get_mut(0), of(&path)) {
                    first.decor_mut().set_prefix(format!("\n# all of {path}: {by}\n"));
                }
            }
            Item::None => {}
        }
    }
}

fn parts<'a>(value: &Value, at: &str, of: &dyn Fn(&str) -> Option<&'a str>) -> Option<String> {
    let table = value.as_inline_table()?;
    let mut by: Vec<&str> = table.iter().filter_map(|(key, _)| of(&format!("{at}.{key}"))).collect();
    by.dedup();
    (!by.is_empty()).then(|| by.join(", "))
}
